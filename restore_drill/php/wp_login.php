<?php
/**
 * Logs in to the restored server as the site does, and reads what WordPress needs first. Standard input: {host, port,
 * socket, relay, proxy, user, password, database, prefix} as JSON, strings as base64. Answers in one line of JSON with how far
 * it came: {step: login | database | tables | siteurl | done, error, siteurl}.
 *
 * The scratch server listens on a socket only. For a site that connects by TCP, `relay` is the path of that socket, and
 * a child of this program carries bytes between 127.0.0.1:port and it. With `proxy` it says by the PROXY protocol
 * (version 1: https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt) that the client comes from 127.0.0.1, which
 * fits accounts for that address; without, the server takes it for localhost.
 */
function relay($listener, $socket, $proxy)
{
    $client = stream_socket_accept($listener, 30);
    $server = stream_socket_client('unix://' . $socket);
    $port = (int) substr(strrchr(stream_socket_get_name($client, true), ':'), 1);
    if ($proxy) {
        fwrite($server, "PROXY TCP4 127.0.0.1 127.0.0.1 $port 3306\r\n");
    }
    stream_set_blocking($client, false);
    stream_set_blocking($server, false);
    while (true) {
        $ready = [$client, $server];
        $none = null;
        if (!stream_select($ready, $none, $none, 30)) {
            return;
        }
        foreach ($ready as $from) {
            $bytes = fread($from, 65536);
            if ($bytes === '' || $bytes === false) {
                if (feof($from)) {
                    return;
                }
                continue;
            }
            $to = $from === $client ? $server : $client;
            stream_set_blocking($to, true);
            fwrite($to, $bytes);
            stream_set_blocking($to, false);
        }
    }
}

function answer($step, $error = null, $siteurl = null)
{
    echo json_encode(['step' => $step, 'error' => $error, 'siteurl' => $siteurl], JSON_INVALID_UTF8_SUBSTITUTE), "\n";
    exit(0);
}

$in = array_map(fn ($value) => is_string($value) ? base64_decode($value) : $value,
    json_decode(stream_get_contents(STDIN), true));
if ($in['relay'] !== null) {
    $listener = stream_socket_server('tcp://127.0.0.1:' . $in['port']);
    if (pcntl_fork() === 0) {
        relay($listener, $in['relay'], $in['proxy']);
        exit(0);
    }
    fclose($listener);
}
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$step = 'login';
try {
    $db = mysqli_init();
    $db->options(MYSQLI_OPT_CONNECT_TIMEOUT, 20);
    $db->real_connect($in['host'], $in['user'], $in['password'], null, $in['port'], $in['socket']);
    $step = 'database';
    $db->select_db($in['database']);
    $step = 'tables';
    $table = '`' . str_replace('`', '``', $in['prefix'] . 'options') . '`';
    $db->query("SELECT 1 FROM $table LIMIT 1");
    $step = 'siteurl';
    $row = $db->query("SELECT option_value FROM $table WHERE option_name = 'siteurl'")->fetch_row();
    if ($row === null || trim((string) $row[0]) === '') {
        answer('siteurl', 'the option siteurl is not there or empty');
    }
    answer('done', null, $row[0]);
} catch (mysqli_sql_exception $error) {
    answer($step, $error->getCode() . ': ' . $error->getMessage());
}
