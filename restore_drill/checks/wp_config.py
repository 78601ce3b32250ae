"""Check 5, WP config validity: a restored WordPress finds its configuration, and with it its database.

PHP evaluates the configuration in the sandbox; then its user and password, as written, log in to the restored server.
"""

from backup.manifest import Site
from opsctl.core.errors import OpsError
from opsctl.core.result import Outcome, Result
from restore_drill.checks.needs import need_files, need_server, restored_secret
from restore_drill.checks.tally import Tally
from restore_drill.checks.view import resolve
from restore_drill.checks.wordpress import ConfigError, NoCodeError, WpSettings, evaluate, wordpress_sites
from restore_drill.checks.wp_login import Login, log_in
from restore_drill.restored import CouldNotRunError, Restored

COHERENCE = "coherence"
_STEPS = {
    "login": "its user and password do not log in to the restored server",
    "database": "its database is not on the restored server, or its user may not use it",
    "tables": "there are no WordPress tables under its table prefix",
    "siteurl": "WordPress' address is missing",
}


class WpConfig:
    """Passes for a stack without WordPress, saying so: what does not exist cannot be lost."""

    id = "wp_config"
    title = "WP config validity"

    def run(self, restored: Restored) -> Result:
        """Judge each WordPress. Raises CouldNotRunError when the files or the server are not there."""
        sites = wordpress_sites(restored.manifest)
        tally = Tally(
            "each WordPress' configuration is valid, logs in to the restored server and finds its tables and address",
            figures={"sites": len(sites), "logins": 0},
        )
        if not sites:
            return tally.result(self, "the stack has no WordPress site")
        need_files(restored)
        need_server(restored)
        addresses = [address for site in sites if (address := judge_site(restored, site, tally))]
        tally.figures["logins"] = len(addresses)
        return tally.result(self, f"{len(addresses)} of {len(sites)} logged in: {', '.join(addresses)}")


def judge_site(restored: Restored, site: Site, tally: Tally) -> str | None:
    """Evaluate one site's configuration and log in with it; return its address, or None with the reason noted."""
    try:
        restored_secret(restored, site.config)
        settings = evaluate(restored.paths, restored.manifest, site)
        if site.config and resolve(restored.paths.tree, site.config) not in settings.included:
            tally.problem(
                f"{site.name}: WordPress takes its settings from {_others(settings)}, not from {site.config}",
                hint="find out which file the live site reads; another one decides after a restore",
            )
        login = log_in(restored.paths, need_server(restored), settings)
    except ConfigError as error:
        tally.problem(error.message, hint=error.hint)
    except (CouldNotRunError, NoCodeError) as error:
        tally.unjudged.append(error.message)
        tally.hint = tally.hint or error.hint
    except OpsError as error:
        tally.unjudged.append(f"{site.name}: {error}")
    else:
        return _judge_login(restored, site, settings, login, tally)
    return None


def _judge_login(restored: Restored, site: Site, settings: WpSettings, login: Login, tally: Tally) -> str | None:
    if login.step == "done":
        return login.siteurl
    if _lacks_tables(restored, login):
        tally.unjudged.append(f"{site.name}: the restored database lacks tables, so the login could not be judged")
        return None
    tally.problem(
        f"{site.name}: {_STEPS.get(login.step, login.step)} ({login.error})",
        hint=f"DB_USER {settings.db_user!r}, DB_NAME {settings.db_name!r}, DB_HOST {settings.db_host!r}, prefix "
        f"{settings.table_prefix!r}: compare {site.config or 'wp-config.php'} with the host's",
    )
    return None


def _lacks_tables(restored: Restored, login: Login) -> bool:
    """Whether check 3 found the database wanting in what the login did not find, or in the accounts themselves."""
    coherence = restored.results.get(COHERENCE)
    if coherence is None or coherence.outcome is not Outcome.FAILED:
        return False
    return login.step != "login" or "mysql." in coherence.found


def _others(settings: WpSettings) -> str:
    """The configuration files that were read: neither WordPress' own code nor ours."""
    own = ("/wp-load.php", "/wp-settings.php", "/wp_load.php")
    return ", ".join(path for path in settings.included if not path.endswith(own)) or "no file"
