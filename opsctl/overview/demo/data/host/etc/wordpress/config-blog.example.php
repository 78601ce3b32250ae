<?php
/* Read by Debian's wp-config.php for requests to blog.example. */
define('DB_NAME', 'wordpress');
define('DB_USER', 'wordpress');
define('DB_PASSWORD', @@DB_PASSWORD@@);
define('DB_HOST', 'localhost:/run/mysqld/mysqld.sock');
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');

define('AUTH_KEY', @@SALT@@);
define('SECURE_AUTH_KEY', @@SALT@@);
define('LOGGED_IN_KEY', @@SALT@@);
define('NONCE_KEY', @@SALT@@);
define('AUTH_SALT', @@SALT@@);
define('SECURE_AUTH_SALT', @@SALT@@);
define('LOGGED_IN_SALT', @@SALT@@);
define('NONCE_SALT', @@SALT@@);

define('WP_CONTENT_DIR', '/var/lib/wordpress/wp-content');
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('FS_METHOD', 'direct');

$table_prefix = 'wp7_';
