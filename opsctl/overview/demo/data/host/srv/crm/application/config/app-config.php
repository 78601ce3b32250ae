<?php

defined('BASEPATH') or exit('No direct script access allowed');

/* Base URL, with a trailing slash */
define('APP_BASE_URL', 'http://crm.example/');

/* Encryption key of the CodeIgniter Encryption library: what it encrypted can be read with nothing else */
define('APP_ENC_KEY', @@ENC_KEY@@);

/* Database */
define('APP_DB_HOSTNAME', 'localhost');
define('APP_DB_USERNAME', 'crm');
define('APP_DB_PASSWORD', @@DB_PASSWORD@@);
define('APP_DB_NAME', 'crm');
define('APP_DB_CHARSET', 'utf8mb4');
define('APP_DB_COLLATION', 'utf8mb4_unicode_ci');

define('SESS_DRIVER', 'database');
define('SESS_SAVE_PATH', 'tblsessions');
define('APP_CSRF_PROTECTION', true);
