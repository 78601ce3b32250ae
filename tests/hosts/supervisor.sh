#!/bin/bash
# Holds one host. It is the first process of PID, mount, network and UTS namespaces of its own: with it ends everything,
# the overlay, the network link and all processes of the host, even by SIGKILL. It reads what to do, a word a line:
# "boot" starts the host, and "off N" is the answer once it is off again (N: how systemd-nspawn ended).
# Usage: supervisor.sh PLACE NAME LOWERDIR CONTROL_GROUPS; the first word that it reads is the address of the host.
set -eu
place=$1 name=$2 lower=$3 groups=$4

mount --make-rprivate /
mount -t proc proc /proc
for group in $groups; do echo 0 >"$group/cgroup.procs"; done # the host gets a part of the tree, never its root
mount -t tmpfs -o mode=755,size=4G disk "$place/disk"
mkdir "$place/disk/work" "$place/disk/root"
cp -a "$place/own" "$place/disk/upper"
mount -t overlay -o "lowerdir=$lower,upperdir=$place/disk/upper,workdir=$place/disk/work" host "$place/disk/root"
mkdir -p /run/systemd
mount -t tmpfs tmpfs /run/systemd # systemd-nspawn leaves notes there
ip link set lo up
echo ready

read -r address # the network link has been made
ip address add "$address/30" dev host0
ip link set host0 up

# The manager is the base's own, with its own libraries: none has to be installed on this machine.
root=$place/disk/root
library=$root/usr/lib/$(uname -m)-linux-gnu
linker=$(echo "$root"/lib64/ld-linux-*.so.2 "$root"/lib/ld-linux-*.so.1)
linker=${linker%% *}
if [ ! -e "$linker" ]; then linker=$(echo "$root"/lib/ld-linux-*.so.1); fi
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network # its own network may be set up; the rest of /proc/sys is this machine's
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1      # control groups as on a real host
export NOTIFY_SOCKET=$place/notify

while read -r word; do
    status=133
    while [ "$status" = 133 ]; do # the host asked for a reboot
        status=0
        "$linker" --library-path "$library:$library/systemd" "$root/usr/bin/systemd-nspawn" --quiet \
            --directory="$root" --machine="$name" --hostname="$name" --boot --register=no --keep-unit --notify-ready=yes \
            --network-namespace-path=/proc/self/ns/net --capability=CAP_NET_ADMIN,CAP_NET_RAW --resolv-conf=off \
            --timezone=off --link-journal=no --console=read-only </dev/null >>"$place/console.log" 2>&1 || status=$?
    done
    echo "off $status"
done
