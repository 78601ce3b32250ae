"""Tests on booted machines: Debian 12 customer hosts with systemd as their first process, thrown away afterwards.

`host` (a fixture of conftest.py) is one that runs, for one test; `fresh_host()` of the fixture `hosts` makes as many as
a test wants, and a module that looks at one from many sides makes it with `hosts` in a fixture of its own:

    def test_nginx_answers(host: Host) -> None:
        host.run("systemctl", "start", "nginx")             # as its root; raises when it fails
        assert host.run("id", "-un", user="www-data").stdout == "www-data\\n"
        urlopen(f"http://{host.address}/")                  # from here; the host reaches here as host.gateway

A host has nginx, php-fpm, MariaDB (all three enabled, with Debian's settings), sshd, cron, nftables, and opsctl from
its wheel in /opt/opsctl, linked as /usr/local/bin/opsctl. sshd knows the key of `host.identity`, and `host.known_hosts`
says by which key it answers. There is no network but the one between the host and here: no route leads anywhere else.

`bare_hosts(name)` makes hosts as a provider hands them over: systemd, sshd with a key of root's, python3 and apt, whose
only source is a directory on the host with the packages that a deployment installs.

`host.power_off()`, `host.cut_power()`, `host.boot()` and `host.reboot()` do what they say; its disk lies in memory and
stays until `host.destroy()`. What a host is made of is in bases.py, how it boots in host.py and supervisor.sh.

Real here: units, timers and their sandboxes, users, PHP pools, nftables, reboots, several hosts at once. Not real:
MemoryMax, CPUQuota and TasksMax are accepted and not enforced; the clock is this machine's and cannot be set; the
kernel and its sizes are this machine's. The tests of this directory run as root.

A host ends with the process that made it, however that dies: all of it lives in namespaces of its own. What can be
left, empty directories and control groups, is removed by the next one to be made (leftovers.py).
"""
