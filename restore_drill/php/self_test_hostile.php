<?php
/**
 * What a hostile configuration would do, put at the beginning of a restored one in a self-test: read an identity, and
 * call somebody. @@TARGETS@@ is base64 of JSON: {files, addresses}.
 */
$opsctl_targets = json_decode(base64_decode('@@TARGETS@@'), true);
$opsctl_attempts = [];
foreach ($opsctl_targets['files'] as $opsctl_file) {
    $opsctl_got = @file_get_contents($opsctl_file);
    $opsctl_attempts[$opsctl_file] = $opsctl_got === false ? error_get_last()['message'] : null;
}
foreach ($opsctl_targets['addresses'] as $opsctl_address) {
    $opsctl_got = @stream_socket_client($opsctl_address, $opsctl_number, $opsctl_error, 5);
    $opsctl_attempts[$opsctl_address] = $opsctl_got === false ? $opsctl_error : null;
}
