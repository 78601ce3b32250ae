"""What a deployment makes, as a playbook of ansible-core: a task for each resource, as somebody would write it."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from opsctl.deploy.resources import Absent, Desired, Directory, File, Link, Package, Resource, Script, Unit, User
from tests.support.debian import cache_directory

VERSION = "2.16.14"
_CONFIG = """[defaults]
host_key_checking = true
interpreter_python = /usr/bin/python3
gathering = explicit
retry_files_enabled = false
[ssh_connection]
pipelining = true
ssh_args = -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile={known_hosts}
"""
# In a container systemd holds it back, and a playbook would start it in vain each time.
_HELD = "systemd-timesyncd.service"
Task = dict[str, Any]


def install() -> Path:
    """ansible-playbook, in an environment of its own that is kept for the next time."""
    home = cache_directory() / f"ansible-{VERSION}"
    program = home / "bin/ansible-playbook"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([home / "bin/pip", "-q", "install", f"ansible-core=={VERSION}"], check=True)
    return program


def write(directory: Path, what: Desired) -> Path:
    """Write the playbook and the files that it copies."""
    packages = [each.name for each in what.resources if isinstance(each, Package)]
    tasks: list[Task] = [{"ansible.builtin.apt": {"name": packages, "state": "present"}}]
    for number, resource in enumerate(what.resources):
        tasks += _tasks(resource, directory / f"file-{number}")
    handlers = [{"name": each.name, "ansible.builtin.command": {"argv": list(each.argv)}} for each in what.actions]
    play = {"hosts": "all", "become": True, "gather_facts": False, "tasks": tasks, "handlers": handlers}
    path = directory / "play.yml"
    path.write_text(json.dumps([play]))  # JSON is YAML
    return path


def configure(directory: Path, known_hosts: Path) -> Path:
    """Write settings under which it is fast: one connection for all tasks, no temporary files on the host."""
    path = directory / "ansible.cfg"
    path.write_text(_CONFIG.format(known_hosts=known_hosts))
    return path


def _tasks(resource: Resource, kept: Path) -> Sequence[Task]:
    then = {"notify": list(resource.then)} if resource.then else {}
    return [{**task, **then} for task in _plain(resource, kept)]


def _plain(resource: Resource, kept: Path) -> Iterator[Task]:
    match resource:
        case User():
            groups = {"groups": list(resource.groups), "append": False} if resource.groups else {}
            home = {"home": resource.home, "shell": resource.shell, "create_home": resource.create_home}
            yield {"ansible.builtin.user": {"name": resource.name, "system": resource.system, **home, **groups}}
        case Directory():
            rights = {"owner": resource.owner, "group": resource.group, "mode": resource.mode}
            yield {"ansible.builtin.file": {"path": resource.path, "state": "directory", **rights}}
        case File():
            kept.write_bytes(base64.b64decode(resource.content or ""))
            rights = {"owner": resource.owner, "group": resource.group, "mode": resource.mode}
            yield {"ansible.builtin.copy": {"src": str(kept), "dest": resource.path, **rights}}
        case Link():
            yield {"ansible.builtin.file": {"src": resource.target, "dest": resource.path, "state": "link"}}
        case Absent():
            yield {"ansible.builtin.file": {"path": resource.path, "state": "absent"}}
        case Unit():
            unit: Task = {"name": resource.name, "enabled": resource.enabled}
            if resource.name != _HELD:
                unit["state"] = "started" if resource.active else "stopped"
            yield {"ansible.builtin.systemd_service": unit}
        case Script():
            found = {"register": "found", "changed_when": False}
            yield {"ansible.builtin.shell": {"cmd": resource.look}, **found}
            wanted = f"found.stdout != {json.dumps(resource.wanted)}"
            yield {"ansible.builtin.shell": {"cmd": resource.do}, "when": wanted}
