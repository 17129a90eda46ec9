#!/bin/sh
# The first process of a User-Mode Linux that has the host's files, read only: makes it a machine on which
# the engine tc works, runs the program that the environment names, and turns it off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /mnt
# modprobe looks for a folder lib/modules.
mkdir -p /mnt/lib/modules
mount --bind "$UML_MODULES" /mnt/lib/modules
# What netem lets go at once after a standstill must not be lost on its way from device to device.
echo 100000 >/proc/sys/net/core/netdev_max_backlog
modprobe -d /mnt -a bridge veth ifb sch_netem sch_htb sch_ingress act_mirred cls_u32
"$UML_NODE" "$UML_PROGRAM" "$UML_FOLDER"
echo "ended: $?"
echo o >/proc/sysrq-trigger
# Powering off takes a moment, and the first process must not end.
sleep 60
