"""Python services are found by the units that start them, with the files that hold their secrets."""

from pathlib import Path

import pytest

from tests.unit.stack.looking import look, only, puzzles
from tests.unit.stack.trees import served

UNIT = "/etc/systemd/system/api.service"
APP = {
    "/srv/api/venv/pyvenv.cfg": "home = /usr/bin",
    "/srv/api/venv/bin/gunicorn": "#!/srv/api/venv/bin/python",
    "/srv/api/app.py": "x",
}


def unit(*lines: str) -> dict[str, str]:
    return {UNIT: "[Unit]\nDescription=python decoy\n[Service]\n" + "\n".join(lines) + "\n"}


START = "ExecStart=/srv/api/venv/bin/gunicorn --bind 127.0.0.1:8000 app:app"


def test_a_service_of_a_virtual_environment_with_its_secrets(tmp_path: Path) -> None:
    files = APP | {"/etc/api/env": "SECRET_KEY=x", "/srv/api/.env": "TOKEN=x", "/srv/api/media/a.jpg": "x"}
    lines = ("WorkingDirectory=/srv/api", "EnvironmentFile=-/etc/api/env", "#EnvironmentFile=/decoy", START)
    site = only(look(tmp_path, served(), unit(*lines), files))
    assert (site.name, site.kind) == ("api", "python")
    assert site.paths == (Path("/srv/api"), Path(UNIT))
    assert set(site.secret_files) == {Path("/etc/api/env"), Path("/srv/api/.env")}
    assert site.uploads == Path("/srv/api/media")
    assert site.section().kind == "python"


def test_an_environment_elsewhere_belongs_to_the_service(tmp_path: Path) -> None:
    files = {"/opt/venvs/api/pyvenv.cfg": "x", "/opt/venvs/api/bin/python": "x", "/srv/api/app.py": "x"}
    lines = ("WorkingDirectory=/srv/api", "ExecStart=/opt/venvs/api/bin/python -m api")
    site = only(look(tmp_path, served(), unit(*lines), files))
    assert site.paths == (Path("/srv/api"), Path("/opt/venvs/api"), Path(UNIT))


@pytest.mark.parametrize(
    "start",
    [
        "ExecStart=-/srv/api/venv/bin/gunicorn app:app",
        "ExecStart=/bin/true\nExecStart=\nExecStart=/srv/api/venv/bin/gunicorn \\\n# decoy\n    app:app",
        "ExecStart=/opt/decoy/venv/bin/python app.py\nExecStart=\nExecStart=/srv/api/venv/bin/gunicorn app:app",
        "ExecStart=\\\n# /opt/decoy/venv/bin/python \\\n/srv/api/venv/bin/gunicorn app:app",
        "ExecStart=/usr/bin/python3 /srv/api/app.py",
        "ExecStart=/usr/bin/env python3.11 /srv/api/app.py",
        'ExecStart="/srv/api/venv/bin/gunicorn" app:app',
    ],
)
def test_the_forms_of_a_start(start: str, tmp_path: Path) -> None:
    decoy = {"/opt/decoy/venv/pyvenv.cfg": "x", "/opt/decoy/venv/bin/python": "x"}
    site = only(look(tmp_path, served(), unit(start), APP, decoy))
    assert site.paths == (Path("/srv/api"), Path(UNIT))


def test_drop_ins_count_and_are_kept(tmp_path: Path) -> None:
    drop_in = f"{UNIT}.d/10-env.conf"
    more = {drop_in: "[Service]\nEnvironment='DATABASE_URL=mysql://u:S3NTINEL@localhost/x' MODE=live\n"}
    site = only(look(tmp_path, served(), unit("WorkingDirectory=/srv/api", START), APP, more))
    assert Path(drop_in) in site.paths
    assert site.secret_files == (Path(drop_in),)
    plain = {drop_in: "[Service]\nEnvironment=MODE=live PYTHONUNBUFFERED=1\n"}
    site = only(look(tmp_path / "b", served(), unit("WorkingDirectory=/srv/api", START), APP, plain))
    assert site.secret_files == ()


def test_services_of_packages_and_other_programs_are_none(tmp_path: Path) -> None:
    files = {
        "/usr/lib/systemd/system/packaged.service": f"[Service]\n{START}\n",
        "/etc/systemd/system/multi-user.target.wants/api.service": "link:/etc/systemd/system/api.service",
        "/etc/systemd/system/alias.service": "link:/usr/lib/systemd/system/packaged.service",
        "/etc/systemd/system/go.service": "[Service]\nExecStart=/opt/go/bin/server\n",
        "/opt/go/bin/server": "x",
    }
    assert look(tmp_path, served(), APP, files).sites == ()
    assert puzzles(look(tmp_path)) == []


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("ExecStart=/bin/bash -c 'source venv/bin/activate && exec gunicorn app:app'",), "starts bash in a way"),
        (("ExecStart=/opt/%i/venv/bin/python app.py", "WorkingDirectory=/opt/%i"), "starts python in a way|where the"),
        (("ExecStart=/usr/bin/python3 -m http.server",), "where the Python service api lies is not understood"),
        (("WorkingDirectory=/srv/api", START, "EnvironmentFile=/etc/gone"), "EnvironmentFile=/etc/gone is not there"),
        (("WorkingDirectory=/srv/api", START, "EnvironmentFile=/etc/%N.env"), "names no one file"),
    ],
)
def test_what_is_not_understood_of_a_unit_is_told(lines: tuple[str, ...], told: str, tmp_path: Path) -> None:
    found = look(tmp_path, served(), unit(*lines), APP)
    (puzzle,) = puzzles(found)
    assert any(each in puzzle for each in told.split("|")), puzzle


def test_the_web_servers_names_are_matched_to_the_service_behind_it(tmp_path: Path) -> None:
    proxy = "server_name api.example;\nlocation / { proxy_pass http://app; }"
    socket = "server_name sock.example;\nlocation / { proxy_pass http://unix:/run/sock/s.sock:/; }"
    files = {
        "/etc/systemd/system/sock.service": "[Service]\nWorkingDirectory=/srv/sock\n"
        "ExecStart=/srv/api/venv/bin/gunicorn sock:app\n",
        "/etc/systemd/system/sock.socket": "[Socket]\nListenStream=/run/sock/s.sock\n",
        "/srv/sock/app.py": "x",
    }
    upstream = "upstream app { server 127.0.0.1:8000; }"
    found = look(tmp_path, served(proxy, socket, more=upstream), unit("WorkingDirectory=/srv/api", START), APP, files)
    assert puzzles(found) == []
    assert {site.name: site.server_names for site in found.sites} == {
        "api": ("api.example",),
        "sock": ("sock.example",),
    }


def test_requests_that_go_to_nothing_that_was_found_are_told(tmp_path: Path) -> None:
    proxy = "server_name node.example;\nlocation / { proxy_pass http://127.0.0.1:800; }"
    found = look(tmp_path, served(proxy), unit("WorkingDirectory=/srv/api", START), APP)
    (told,) = puzzles(found)
    assert "node.example passes requests to 127.0.0.1:800, and no Python service was found there" in told


def test_files_that_the_web_server_takes_from_a_service_are_no_site_of_their_own(tmp_path: Path) -> None:
    proxy = (
        "server_name api.example;\nlocation / { proxy_pass http://127.0.0.1:8000; }\n"
        "location /static/ { alias /srv/api/static/; }\nlocation /files/ { alias /data/files/; }"
    )
    files = {"/srv/api/static/x.css": "x", "/data/files/a.pdf": "x"}
    found = look(tmp_path, served(proxy), unit("WorkingDirectory=/srv/api", START), APP, files)
    assert puzzles(found) == []
    names = [(site.name, site.kind, site.paths[0]) for site in found.sites]
    assert names == [("api", "python", Path("/srv/api")), ("api-files", "static", Path("/data/files"))]
