<?php

defined('BASEPATH') or exit('No direct script access allowed');

$active_group  = 'default';
$query_builder = true;

$db['default'] = [
    'hostname' => APP_DB_HOSTNAME,
    'username' => APP_DB_USERNAME,
    'password' => APP_DB_PASSWORD,
    'database' => APP_DB_NAME,
    'dbdriver' => 'mysqli',
    'dbprefix' => 'tbl',
    'char_set' => APP_DB_CHARSET,
    'dbcollat' => APP_DB_COLLATION,
];
