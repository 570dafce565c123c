# Sourced by ./demo and ./test: which of Debian's packages are needed, and how they are installed.

build_packages="g++ cmake ninja-build pkg-config liburing-dev libnl-route-3-dev libboost1.81-dev libssl-dev libtomlplusplus-dev \
nlohmann-json3-dev libpugixml-dev libcli11-dev libfmt-dev libspdlog-dev libexpected-dev libsdbus-c++-dev"
story_packages="python3 iproute2 nftables fuse3 e2fsprogs util-linux procps psmisc kmod iputils-arping mariadb-server \
apache2 libapache2-mod-php php-mysql resource-agents curl"
test_packages="libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev drbd-utils dmsetup tshark libnbd-bin clang-format dbus-daemon \
git pacemaker-cli-utils fence-agents"
# ./package, and the guests of tests/package.
package_packages="debhelper dpkg-dev fakeroot"
guest_packages="mmdebstrap"
# The machine of tests/package/clock_steps.
machine_packages="qemu-system-x86"
# The peers of bench/failover and bench/footprint; nothing else needs them.
bench_packages="apache2 resource-agents curl pacemaker corosync pacemaker-cli-utils keepalived"

# Prints those of the named packages that are not installed.
missing_packages() {
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || printf '%s ' "$package"
  done
}

# Asks once and installs what is missing of the named packages. $1: "yes" to not ask; $2: the log; the rest: packages.
install_missing() {
  yes=$1 install_log=$2
  shift 2
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  if [ "$yes" != yes ]; then
    printf 'These packages of Debian are missing and would be installed; their daemons are not started:\n  %s\n' "$missing"
    printf 'Install them? [Y/n] '
    read -r answer || answer=n
    case $answer in '' | y | Y | yes | Yes) ;; *) stop_because "Nothing was installed, and without these packages it does not work." ;; esac
  fi
  count=$(echo "$missing" | wc -w)
  echo "Installing $count packages of Debian ..."
  mkdir -p "$(dirname "$install_log")"
  # shellcheck disable=SC2086
  install_packages $missing || {
    tail -n 5 "$install_log" >&2
    stop_because "The packages could not be installed; the whole output is in $install_log."
  }
}

# Installs packages without starting Debian's daemons: a policy-rc.d that says "no" stands while apt runs, and
# whatever stood there before is put back afterwards, also when apt is interrupted.
install_packages() {
  policy=/usr/sbin/policy-rc.d
  saved=
  if [ -e "$policy" ]; then saved=$(mktemp) && cp -p "$policy" "$saved"; fi
  trap 'restore_policy; exit 130' INT TERM HUP
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
  status=0
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } \
    </dev/null >"$install_log" 2>&1 || status=$?
  restore_policy
  trap - INT TERM HUP
  return $status
}

restore_policy() {
  if [ -n "$saved" ]; then mv "$saved" "$policy"; else rm -f "$policy"; fi
}

# One clear sentence, exit code 2.
stop_because() {
  echo "${0##*/}: $*" >&2
  exit 2
}

require_debian_root() {
  [ "$(id -u)" = 0 ] || stop_because "this must run as root, because it makes network namespaces and mounts; nothing was changed."
  release=$(. /etc/os-release 2>/dev/null && echo "$ID $VERSION_ID") || release=unknown
  [ "$release" = "debian 12" ] || stop_because "this runs on Debian 12, and this machine is '$release'; nothing was changed."
}

# What the test hosts need of the kernel.
require_hosts() {
  unshare --mount --net --pid --uts --ipc --fork true 2>/dev/null ||
    stop_because "this machine does not let root make namespaces (try outside of a container); nothing was changed."
  [ -c /dev/fuse ] || stop_because "the device /dev/fuse is missing (kernel module fuse); nothing was changed."
  [ -c /dev/loop-control ] || stop_because "the device /dev/loop-control is missing (kernel module loop); nothing was changed."
  grep -q ' - cgroup2 ' /proc/self/mountinfo || stop_because "no cgroup version 2 is mounted; nothing was changed."
}

# Configures and builds: $1 preset, $2 directory, $3 log, $4 more options for cmake or "", the rest: targets (none: all).
build_preset() {
  preset=$1 directory=$2 build_log=$3 more=$4
  shift 4
  mkdir -p "$(dirname "$build_log")"
  if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
  # shellcheck disable=SC2086
  cmake --preset "$preset" -B "$directory" $more >"$build_log" 2>&1 || {
    tail -n 15 "$build_log" >&2
    stop_because "cmake cannot configure the build; see $build_log."
  }
  if [ -t 1 ]; then
    NINJA_STATUS='[%f/%t, %es] ' ninja -C "$directory" "$@" || stop_because "the build failed."
  else
    echo "Building ($preset) ..."
    ninja -C "$directory" "$@" >>"$build_log" 2>&1 || {
      grep -E 'error|FAILED' "$build_log" | head -n 30 >&2
      stop_because "the build failed; see $build_log."
    }
  fi
}
