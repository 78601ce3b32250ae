<?php
/**
 * Writes and reads the CRM's encrypted column as CodeIgniter 3's Encryption library does, with the key and the
 * database account of the site's own app-config.php. Called with $in: {config, encrypt: bool, decrypt: [id…]}.
 * Format: hex HMAC-SHA512 over base64(IV, AES-128-CBC), both keys derived from APP_ENC_KEY by HKDF-SHA512
 * (https://codeigniter.com/userguide3/libraries/encryption.html).
 */
define('BASEPATH', dirname($in['config'], 3) . '/');
require $in['config'];

/** Encrypt like CI_Encryption::encrypt() with its defaults. */
function ci_encrypt($plain)
{
    $key = hash_hkdf('sha512', APP_ENC_KEY, strlen(APP_ENC_KEY), 'encryption');
    $iv = random_bytes(16);
    $data = base64_encode($iv . openssl_encrypt($plain, 'aes-128-cbc', $key, OPENSSL_RAW_DATA, $iv));
    return hash_hmac('sha512', $data, hash_hkdf('sha512', APP_ENC_KEY, 0, 'authentication')) . $data;
}

/** Decrypt like CI_Encryption::decrypt(); null when the HMAC does not fit. */
function ci_decrypt($cipher)
{
    $data = substr($cipher, 128);
    $mac = hash_hmac('sha512', $data, hash_hkdf('sha512', APP_ENC_KEY, 0, 'authentication'));
    if (!hash_equals($mac, substr($cipher, 0, 128))) {
        return null;
    }
    $raw = base64_decode($data);
    $key = hash_hkdf('sha512', APP_ENC_KEY, strlen(APP_ENC_KEY), 'encryption');
    return openssl_decrypt(substr($raw, 16), 'aes-128-cbc', $key, OPENSSL_RAW_DATA, substr($raw, 0, 16));
}

mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$db = new mysqli(APP_DB_HOSTNAME, APP_DB_USERNAME, APP_DB_PASSWORD, APP_DB_NAME);
$db->set_charset(APP_DB_CHARSET);
$encrypted = 0;
if ($in['encrypt']) {
    $db->begin_transaction();
    $rows = $db->query('SELECT id FROM tblleads WHERE bank_account IS NULL ORDER BY id')->fetch_all(MYSQLI_ASSOC);
    $write = $db->prepare('UPDATE tblleads SET bank_account = ? WHERE id = ?');
    foreach ($rows as $row) {
        $write->execute([ci_encrypt(sprintf('IN00OPSC%010d', $row['id'])), $row['id']]);
        $encrypted++;
    }
    $db->commit();
}
$decrypted = [];
foreach ($in['decrypt'] as $id) {
    $row = $db->execute_query('SELECT bank_account FROM tblleads WHERE id = ?', [$id])->fetch_assoc();
    $decrypted[$id] = ci_decrypt($row['bank_account']);
}
echo json_encode(['encrypted' => $encrypted, 'decrypted' => (object) $decrypted]);
