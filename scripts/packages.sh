# Sourced by ./demo and ./test: which of Debian's packages are needed, and how they are installed.

build_packages="g++ cmake ninja-build pkg-config liburing-dev libboost1.81-dev libssl-dev libtomlplusplus-dev \
nlohmann-json3-dev libcli11-dev libfmt-dev libspdlog-dev libexpected-dev"
story_packages="python3 iproute2 nftables fuse3 e2fsprogs util-linux procps iputils-arping mariadb-server apache2 \
libapache2-mod-php php-mysql resource-agents curl"
test_packages="libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev drbd-utils tshark libnbd-bin clang-format"

# Prints those of the named packages that are not installed.
missing_packages() {
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || printf '%s ' "$package"
  done
}

# Installs packages without starting Debian's daemons: a policy-rc.d that says "no" stands while apt runs, and
# whatever stood there before is put back afterwards.
install_packages() {
  policy=/usr/sbin/policy-rc.d
  saved=
  if [ -e "$policy" ]; then saved=$(mktemp) && cp -p "$policy" "$saved"; fi
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
  status=0
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } \
    </dev/null >"$install_log" 2>&1 || status=$?
  if [ -n "$saved" ]; then mv "$saved" "$policy"; else rm -f "$policy"; fi
  return $status
}
