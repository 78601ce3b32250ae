<?php
/**
 * Fills a WordPress through its own API. Called with $in: {host, install: {admin_password, title} | null, posts,
 * attachments, first}. Answers on standard output with {posts, attachments} as JSON.
 */
$_SERVER['HTTP_HOST'] = $in['host'];
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['REQUEST_URI'] = '/';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['HTTPS'] = 'on';

if ($in['install']) {
    define('WP_INSTALLING', true);
    /** The installer mails the new password to the administrator; here nobody waits for that mail. */
    function wp_new_blog_notification($blog_title, $blog_url, $user_id, $password)
    {
    }
}

require '/usr/share/wordpress/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/image.php';
require_once ABSPATH . 'wp-admin/includes/file.php';
require_once ABSPATH . 'wp-admin/includes/media.php';

/** Draw a picture that differs for each seed and compresses like a photograph, not like a blank sheet. */
function draw_picture($path, $seed)
{
    mt_srand($seed);
    $image = imagecreatetruecolor(1280, 853);
    for ($i = 0; $i < 260; $i++) {
        $colour = imagecolorallocatealpha($image, mt_rand(0, 255), mt_rand(0, 255), mt_rand(0, 255), mt_rand(30, 110));
        imagefilledellipse($image, mt_rand(0, 1280), mt_rand(0, 853), mt_rand(20, 420), mt_rand(20, 420), $colour);
    }
    imagestring($image, 5, 20, 20, "Picture $seed", imagecolorallocate($image, 255, 255, 255));
    imagejpeg($image, $path, 82);
}

/** Add one post, as its author would in the editor. */
function add_post($number)
{
    $words = explode(' ', 'order harvest river ledger copper monsoon weaver saffron harbour lantern granite orchard');
    $body = '';
    for ($i = 0; $i < 90; $i++) {
        $body .= $words[($number * 7 + $i * ($number % 5 + 3)) % count($words)] . ($i % 15 == 14 ? ".\n\n" : ' ');
    }
    $id = wp_insert_post([
        'post_title' => "Story $number",
        'post_content' => $body,
        'post_status' => 'publish',
        'post_author' => 1,
        'comment_status' => 'open',
    ], true);
    if (is_wp_error($id)) {
        throw new RuntimeException($id->get_error_message());
    }
    return $id;
}

/** Add one picture to the media library; WordPress itself makes the smaller sizes. */
function add_attachment($number, $parent)
{
    $path = wp_tempnam("picture-$number.jpg");
    draw_picture($path, $number);
    $file = ['name' => "picture-$number.jpg", 'tmp_name' => $path];
    $id = media_handle_sideload($file, $parent, "Picture $number");
    if (is_wp_error($id)) {
        throw new RuntimeException($id->get_error_message());
    }
    return $id;
}

if ($in['install']) {
    wp_install($in['install']['title'], 'editor', 'editor@' . $in['host'], true, '', $in['install']['admin_password']);
    update_option('siteurl', 'https://' . $in['host']);
    update_option('home', 'https://' . $in['host']);
    switch_theme('shopfront');
}
$posts = [];
for ($i = 0; $i < $in['posts']; $i++) {
    $posts[] = add_post($in['first'] + $i);
}
$attachments = [];
for ($i = 0; $i < $in['attachments']; $i++) {
    $attachments[] = add_attachment($in['first'] + $i, $posts ? $posts[$i % count($posts)] : 0);
}
echo json_encode(['posts' => count($posts), 'attachments' => count($attachments)]);
