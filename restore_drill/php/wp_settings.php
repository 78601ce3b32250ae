<?php
/**
 * Stands in the place of wp-settings.php when a restored wp-config.php is evaluated: says what the configuration came
 * to, and ends. Answers with a line of `opsctl-settings:` and base64 of JSON; strings in it are base64, since passwords
 * may be any bytes. The keys and salts themselves are not passed on, only what is to be said of each.
 */
function opsctl_salt($name)
{
    if (!defined($name)) {
        return 'missing';
    }
    $value = (string) constant($name);
    if ($value === 'put your unique phrase here' || $value === '') {
        return 'default';
    }
    return 'set';
}

$opsctl = ['salts' => [], 'included' => array_map('base64_encode', get_included_files())];
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY',
          'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'] as $opsctl_name) {
    $opsctl['salts'][$opsctl_name] = opsctl_salt($opsctl_name);
}
foreach (['DB_NAME', 'DB_USER', 'DB_PASSWORD', 'DB_HOST'] as $opsctl_name) {
    $opsctl[strtolower($opsctl_name)] = defined($opsctl_name) ? base64_encode((string) constant($opsctl_name)) : null;
}
$opsctl['table_prefix'] = isset($table_prefix) ? base64_encode((string) $table_prefix) : null;
$opsctl_content = defined('WP_CONTENT_DIR') ? WP_CONTENT_DIR : ABSPATH . 'wp-content';
$opsctl['uploads'] = base64_encode(defined('UPLOADS') ? ABSPATH . UPLOADS : $opsctl_content . '/uploads');
fwrite(STDOUT, "\nopsctl-settings:" . base64_encode(json_encode($opsctl)) . "\n");
exit(0);
