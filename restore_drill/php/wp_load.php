<?php
/**
 * Loads a WordPress as its web server would, up to where wp-config.php hands over to wp-settings.php: in the sandbox
 * wp-settings.php is wp_settings.php beside this file. Standard input: {host, code} as JSON.
 */
$in = json_decode(stream_get_contents(STDIN), true);
$_SERVER['HTTP_HOST'] = $in['host'];
$_SERVER['SERVER_NAME'] = $in['host'];
$_SERVER['SERVER_PORT'] = '443';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['REQUEST_URI'] = '/';
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';
$_SERVER['HTTPS'] = 'on';
$_SERVER['DOCUMENT_ROOT'] = $in['code'];
$_SERVER['SCRIPT_FILENAME'] = $in['code'] . '/index.php';
$_SERVER['SCRIPT_NAME'] = '/index.php';
$_SERVER['PHP_SELF'] = '/index.php';
chdir($in['code']);
require $in['code'] . '/wp-load.php';
