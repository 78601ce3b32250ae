"""What runs when: the table of jobs, and whoever starts them: systemd, cron, or a service of opsctl's own."""
