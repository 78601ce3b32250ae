"""A throwaway customer: a real MariaDB, a real WordPress, a CRM and three vhosts, laid out as on a Debian host."""
