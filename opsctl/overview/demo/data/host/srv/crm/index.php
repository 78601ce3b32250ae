<?php

define('BASEPATH', __DIR__ . '/application/');
require BASEPATH . 'config/app-config.php';
require BASEPATH . 'config/database.php';

mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$link = new mysqli(APP_DB_HOSTNAME, APP_DB_USERNAME, APP_DB_PASSWORD, APP_DB_NAME);
header('Content-Type: application/json');
echo json_encode($link->query('SELECT stage, cards FROM pipeline')->fetch_all(MYSQLI_ASSOC));
