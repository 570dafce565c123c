"""The service: a shop that takes orders. MariaDB's data and the PHP site lie on the replicated volume; the
configuration of the daemons lies on each node."""

import glob
import os
import re

SERVICE_ADDRESS = "10.77.0.10"
ORDER_URL = f"http://{SERVICE_ADDRESS}/order.php"
WEB_URL = f"http://{SERVICE_ADDRESS}/index.html"
SOCKET = "/run/shop/mysql.sock"
VOLUME_BYTES = 1 << 30

NODES = """\
[cluster]
name = "boutique"
[node.alice]
address = "10.77.0.1"
[node.bob]
address = "10.77.0.2"
[node.carol]
address = "10.77.0.3"
role = "witness"
"""
VOLUME = """\
[volume.data]
size = "1G"
disk = "/var/lib/bascule/data.img"
al_extents = 67
"""
LAMP = """\
[service.shop]
volume = "data"
prefer = "alice"
autostart = false
mount = "/srv/shop"
address = "10.77.0.10/24"
run = [
  { agent = "ocf:heartbeat:mysql", binary = "/usr/sbin/mariadbd", client_binary = "/usr/bin/mariadb", \
config = "/etc/bascule/mariadb.conf", datadir = "/srv/shop/mysql", pid = "/run/shop/mysql.pid", \
socket = "/run/shop/mysql.sock", log = "/run/shop/mysql.log", monitor_interval = "1s" },
  { agent = "ocf:heartbeat:apache", httpd = "/usr/sbin/apache2", configfile = "/etc/bascule/apache.conf", \
statusurl = "http://127.0.0.1/index.html", testregex = "Bascule", client = "curl" },
]
"""
WEB = """\
[service.shop]
prefer = "alice"
autostart = false
address = "10.77.0.10/24"
run = { agent = "ocf:heartbeat:apache", httpd = "/usr/sbin/apache2", configfile = "/etc/bascule/apache.conf", \
statusurl = "http://127.0.0.1/index.html", testregex = "Bascule", client = "curl" }
"""
SMALL = """\
[service.shop]
volume = "data"
prefer = "alice"
autostart = false
mount = { directory = "/srv/shop", monitor_interval = "10s" }
address = "10.77.0.10/24"
run = { agent = "ocf:heartbeat:Dummy", state = "/run/shop.dummy", monitor_interval = "1s" }
"""

APACHE = """\
ServerRoot /etc/apache2
ServerName shop
Listen 10.77.0.10:80
Listen 127.0.0.1:80
PidFile /run/shop/apache.pid
User www-data
Group www-data
ErrorLog /run/shop/apache.log
LogLevel warn
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
{php}
StartServers 4
DocumentRoot {root}
<Directory {root}>
  Require all granted
</Directory>
"""
PHP_MODULE = """\
LoadModule php_module {path}
<FilesMatch "\\.php$">
  SetHandler application/x-httpd-php
</FilesMatch>
"""
MARIADB = """\
[mysqld]
user = mysql
skip-networking
skip-name-resolve
innodb_log_file_size = 16M
innodb_buffer_pool_size = 32M
innodb_flush_log_at_trx_commit = 1
"""
ORDER_PHP = """\
<?php
// Answers "ok ID" only after the row is committed.
mysqli_report(MYSQLI_REPORT_OFF);
$database = @mysqli_connect('localhost', 'shop', '', 'shop', 0, '/run/shop/mysql.sock');
if (!$database) { http_response_code(503); exit("no database\\n"); }
$id = $_POST['id'];
$insert = mysqli_prepare($database, 'INSERT INTO orders (client_id) VALUES (?)');
if (!$insert || !mysqli_stmt_bind_param($insert, 's', $id) || !mysqli_stmt_execute($insert)) {
  http_response_code(503);
  exit("not written\\n");
}
echo "ok $id\\n";
"""
# No unique key on client_id: an order that is written twice must show.
TABLES = """\
CREATE DATABASE shop;
CREATE TABLE shop.orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, client_id VARCHAR(64) NOT NULL, INDEX (client_id)) \
ENGINE=InnoDB;
FLUSH PRIVILEGES;
CREATE USER shop@localhost;
GRANT INSERT ON shop.* TO shop@localhost;
"""


def cluster_toml(service, networks=1):
    """lamp: the shop on a volume; web: address and Apache, no volume; volume: a small volume, readable on the wire, and no service;
    small: such a volume with a file system, the address, and an agent that does nothing."""
    parts = {"lamp": VOLUME + LAMP, "web": WEB, "volume": VOLUME.replace('"1G"', '"64M"') + 'encryption = "none"\n'}
    parts["small"] = VOLUME.replace('"1G"', '"64M"') + SMALL
    nodes = NODES if networks == 1 else re.sub(r'address = "10\.77\.0\.(\d)"',
                                               r'address = ["10.77.0.\1", "10.78.0.\1"]', NODES)
    return nodes + parts[service]


def php_module():
    found = sorted(glob.glob("/usr/lib/apache2/modules/libphp*.so"))
    return PHP_MODULE.format(path=found[-1]) if found else ""


def configure(host, service):
    """What an administrator puts on each data node, beside cluster.toml."""
    root = "/srv/shop/www" if service == "lamp" else "/etc/bascule/www"
    host.write("/etc/bascule/apache.conf",
               APACHE.format(php=php_module() if service == "lamp" else "", root=root))
    host.write("/etc/bascule/mariadb.conf", MARIADB)
    if service == "web":
        host.write("/etc/bascule/www/index.html", "Bascule\n")


def runtime_directories(host):
    """What systemd-tmpfiles would make at each boot."""
    host.run(["install", "-d", "-o", "mysql", "-g", "mysql", "/run/shop"])
    host.run(["mkdir", "-p", "/srv/shop"])


def fill(host, device):
    """Makes the file system, the database and the site on a device that is primary on this host."""
    host.run(["mkfs.ext4", "-q", "-F", "-J", "size=16", "-E", "lazy_itable_init=0,lazy_journal_init=0", device],
             timeout_s=120)
    host.run(["mount", device, "/srv/shop"])
    try:
        host.run(["install", "-d", "/srv/shop/www"])
        host.run(["install", "-d", "-o", "mysql", "-g", "mysql", "/srv/shop/mysql"])
        host.write("/srv/shop/www/order.php", ORDER_PHP)
        host.write("/srv/shop/www/index.html", "Bascule\n")
        host.run(["mariadb-install-db", "--defaults-file=/etc/bascule/mariadb.conf", "--user=mysql",
                  "--datadir=/srv/shop/mysql", "--skip-test-db", "--auth-root-authentication-method=socket"],
                 timeout_s=120)
        host.run(["mariadbd", "--defaults-file=/etc/bascule/mariadb.conf", "--datadir=/srv/shop/mysql",
                  "--bootstrap"], text=TABLES, timeout_s=60)
    finally:
        host.run(["umount", "/srv/shop"], timeout_s=60)


def rows(host):
    """Every client id in the table, as often as it is there."""
    out = host.run(["mariadb", f"--socket={SOCKET}", "--batch", "--skip-column-names", "--execute",
                    "SELECT client_id FROM shop.orders"]).out
    return out.split()


def check_database(host):
    """mariadb-check over everything; the lines that are not OK."""
    out = host.run(["mariadb-check", f"--socket={SOCKET}", "--all-databases", "--extended"], timeout_s=120).out
    return [line for line in out.splitlines() if line.strip() and not line.rstrip().endswith("OK")]


def has_php():
    return os.path.exists("/usr/sbin/apache2") and bool(php_module())
