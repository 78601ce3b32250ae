"""The vault's schema: numbered SQL files, applied in order, each recorded; the `mariadb` client can run them too."""
