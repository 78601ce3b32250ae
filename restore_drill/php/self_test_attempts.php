<?php
/**
 * Stands in the place of wp-settings.php in a self-test, after a hostile configuration has run: says what its attempts
 * came to. Answers with a line of `opsctl-attempts:` and base64 of JSON: by what was tried, null if it succeeded, or
 * the error.
 */
fwrite(STDOUT, "\nopsctl-attempts:" . base64_encode(json_encode($opsctl_attempts ?? [], JSON_INVALID_UTF8_SUBSTITUTE)) . "\n");
exit(0);
