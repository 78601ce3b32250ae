<?php
/**
 * Loads a restored CodeIgniter configuration in the sandbox, and decrypts a value with each encryption key that it
 * defines. Standard input: {config, value: base64 or null} as JSON. Answers with a line of `opsctl-keys:` and base64 of
 * JSON: a list of {name, bytes: length of the key, sha256: of the plain text, or null when the key does not fit}. No
 * key and no plain text is passed on.
 *
 * Format of CodeIgniter 3's Encryption library with its defaults: hex HMAC-SHA512 over base64(IV, AES-128-CBC), both
 * keys derived by HKDF-SHA512 (https://codeigniter.com/userguide3/libraries/encryption.html).
 */
function opsctl_decrypt($value, $master)
{
    $data = substr($value, 128);
    $mac = hash_hmac('sha512', $data, hash_hkdf('sha512', $master, 0, 'authentication'));
    if (!hash_equals($mac, substr($value, 0, 128))) {
        return null;
    }
    $raw = base64_decode($data);
    $key = hash_hkdf('sha512', $master, strlen($master), 'encryption');
    $plain = openssl_decrypt(substr($raw, 16), 'aes-128-cbc', $key, OPENSSL_RAW_DATA, substr($raw, 0, 16));
    return $plain === false ? null : $plain;
}

/** The keys that a configuration defines: CodeIgniter's own setting, and constants that are named like one. */
function opsctl_keys($config)
{
    $keys = [];
    if (isset($config['encryption_key']) && is_string($config['encryption_key'])) {
        $keys["\$config['encryption_key']"] = $config['encryption_key'];
    }
    foreach (get_defined_constants(true)['user'] ?? [] as $name => $constant) {
        if (is_string($constant) && preg_match('/ENC(RYPTION)?_?KEY$/i', $name)) {
            $keys[$name] = $constant;
        }
    }
    return array_filter($keys, fn ($key) => $key !== '');
}

$opsctl = json_decode(stream_get_contents(STDIN), true);
define('BASEPATH', dirname($opsctl['config'], 3) . '/');
define('APPPATH', dirname($opsctl['config'], 2) . '/');
define('FCPATH', dirname($opsctl['config'], 3) . '/');
define('ENVIRONMENT', 'production');
$_SERVER['HTTP_HOST'] = $_SERVER['SERVER_NAME'] = 'localhost';
$config = [];
require $opsctl['config'];

$opsctl_answer = [];
foreach (opsctl_keys($config) as $opsctl_name => $opsctl_key) {
    $opsctl_plain = $opsctl['value'] === null ? null : opsctl_decrypt(base64_decode($opsctl['value']), $opsctl_key);
    $opsctl_answer[] = ['name' => $opsctl_name, 'bytes' => strlen($opsctl_key),
        'sha256' => $opsctl_plain === null ? null : hash('sha256', $opsctl_plain)];
}
fwrite(STDOUT, "\nopsctl-keys:" . base64_encode(json_encode($opsctl_answer)) . "\n");
