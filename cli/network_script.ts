/** The shell scripts that make and remove the network of a local cluster. Pure. */

import { AGENT_FOLDER } from '../netem/agent_socket.ts';

/** Where `ip netns` has the namespaces. */
export const NAMESPACES = '/run/netns';
/** In a folder that is root's alone. */
const LOCK = `${AGENT_FOLDER}/networks.lock`;
/** Several times what a network of the largest cluster takes. */
const LOCK_PATIENCE_S = 60;

/** Whose network a script is for, and the process that runs the script. */
export interface ScriptFor {
  /** Of the device of this machine, and of the hub, the namespace with the bridge. */
  readonly name: string;
  /** What the device of this machine carries as its alias. */
  readonly owner: string;
  readonly starter: number;
}

/** A device of a node, or of this machine. */
export interface NetworkMember {
  readonly namespace: string;
  /** Of its other end, in the hub. */
  readonly port: string;
  readonly address: string;
}

/**
 * Whatever is started inherits the lock, so that it is free when the last command has ended. The one who has started
 * a script may have been killed while it waited: then others may be at this network already.
 */
const begin = ({ name, owner, starter }: ScriptFor): string => `
name=${name}
owner='${owner}'

mkdir -p -m 700 ${AGENT_FOLDER}
exec 9>>${LOCK}
flock -w ${LOCK_PATIENCE_S} 9 || { echo 'others make networks for ${LOCK_PATIENCE_S} s now' >&2; exit 1; }
read -r _ _ _ parent _ </proc/$$/stat
[ "$parent" = ${starter} ] || exit 1

alias=$(cat "/sys/class/net/$name/ifalias" 2>/dev/null || true)
# What has no alias was not finished.
is_ours() { [ -z "$alias" ] || [ "$alias" = "$owner" ]; }
`;

const FUNCTIONS = `
# NAMESPACE: is there and can be entered, or is made anew.
namespace() {
  if [ -e "${NAMESPACES}/$1" ]; then
    ip -n "$1" link set lo up 2>/dev/null && return
    ip netns del "$1"
  fi
  ip netns add "$1"
  ip -n "$1" link set lo up
}

# NAMESPACE WORDS: ip in a namespace; in that of this machine for "-".
ip_in() {
  if [ "$1" = - ]; then shift; ip "$@"; else ip -n "$@"; fi
}

# NAMESPACE DEVICE FILTER: the number of a device that is up, and that of its other end.
ends() {
  within=$1
  device=$2
  shift 2
  ip_in "$within" -o link show dev "$device" up "$@" 2>/dev/null |
    sed -n 's/^\\([0-9]*\\): [^@]*@if\\([0-9]*\\):.*/\\1 \\2/p'
}

# NAMESPACE DEVICE PORT ADDRESS: the device has the address, and the port of the bridge is its other end.
is_linked() {
  ip_in "$1" -4 -o addr show dev "$2" 2>/dev/null | grep -qF " inet $4/24 " || return 1
  here=$(ends "$1" "$2")
  there=$(ends "$name" "$3" master br0)
  [ -n "$here" ] && [ "$here" = "\${there#* } \${there% *}" ]
}

# The same: makes it so. Who runs in the namespace stays in it.
link() {
  is_linked "$@" && return
  ip_in "$1" link del "$2" 2>/dev/null || true
  ip -n "$name" link del "$3" 2>/dev/null || true
  # By its address, so that a new one is found by neighbours that knew the old one.
  mac=$(printf '02:00:%02x:%02x:%02x:%02x' $(echo "$4" | tr . ' '))
  ip_in "$1" link add "$2" address "$mac" type veth peer name "$3" netns "$name"
  ip_in "$1" link set "$2" alias "$owner"
  ip -n "$name" link set "$3" master br0 up
  ip_in "$1" addr add "$4/24" dev "$2"
  ip_in "$1" link set "$2" up
}

# ADDRESS: the namespace with the bridge, and the way to it from this machine.
hub() {
  namespace "$name"
  if ! ip -n "$name" link set br0 up 2>/dev/null; then
    ip -n "$name" link add br0 type bridge
    ip -n "$name" link set br0 up
  fi
  link - "$name" host "$1"
}

# NAMESPACE PORT ADDRESS
node() {
  namespace "$1"
  link "$1" e0 "$2" "$3"
}
`;

/** Makes what is not there, or not as it has to be; the rest stays as it is. */
export const makeScript = (
  whose: ScriptFor,
  hostAddress: string,
  nodes: readonly NetworkMember[],
): string => `${begin(whose)}
is_ours || { echo "$name belongs to somebody else: its alias is $alias" >&2; exit 1; }
${FUNCTIONS}
hub ${hostAddress}
${nodes.map(({ namespace, port, address }) => `node ${namespace} ${port} ${address}`).join('\n')}
`;

/** Removes these namespaces, as far as they are there. */
export const removeNodesScript = (whose: ScriptFor, namespaces: readonly string[]): string =>
  `${begin(whose)}
is_ours || exit 0
for each in ${namespaces.join(' ')}; do
  [ ! -e "${NAMESPACES}/$each" ] || ip netns del "$each"
done
`;

/** Removes all that is left of a network. */
export const removeScript = (whose: ScriptFor): string => `${begin(whose)}
is_ours || exit 0
# First: with a namespace the kernel takes its devices away some time later.
[ ! -e "/sys/class/net/$name" ] || ip link del "$name"
for file in "${NAMESPACES}/$name" "${NAMESPACES}/$name"-*; do
  [ ! -e "$file" ] || ip netns del "\${file##*/}"
done
`;
