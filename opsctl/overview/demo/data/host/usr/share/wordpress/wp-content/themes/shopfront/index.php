<?php
wp_head();
while (have_posts()) {
    the_post();
    the_title('<h2>', '</h2>');
    the_content();
}
wp_footer();
