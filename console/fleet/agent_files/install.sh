#!/bin/sh
# Installs the agent that this console serves, and joins the console with a one-time token.
#   sh install.sh --url URL --token TOKEN [--way run|systemd] [--folder DIR] [--ca-sha256 HEX] [-- OPTIONS OF JOIN]
# run: in the foreground, without root, everything below DIR. systemd: as a service of its own (root).
# What is downloaded is checked against the digest below before anything of it runs.
set -eu

ARCHIVE_SHA256="@ARCHIVE_SHA256@"

fail() { echo "install.sh: $*" >&2; exit 2; }

# Everything in a function: a download that was cut off does nothing.
main() {
  url="" token="" way="run" folder="" ca_sha256=""
  while [ $# -gt 0 ]; do
    case "$1" in
      --) shift; break ;;
      --url|--token|--way|--folder|--ca-sha256) [ $# -ge 2 ] || fail "$1 needs a value" ;;
      *) fail "unknown option $1" ;;
    esac
    case "$1" in
      --url) url="${2%/}" ;;
      --token) token="$2" ;;
      --way) way="$2" ;;
      --folder) folder="$2" ;;
      --ca-sha256) ca_sha256="$2" ;;
    esac
    shift 2
  done
  case "$url" in http://*|https://*) ;; *) fail "--url http(s)://HOST[:PORT]" ;; esac
  case "$token" in *[!A-Za-z0-9_.-]*|"") fail "--token ID.SECRET" ;; esac
  case "$way" in run|systemd) ;; *) fail "--way run or systemd" ;; esac
  command -v curl >/dev/null || fail "curl is needed"
  command -v python3 >/dev/null || fail "python3 is needed"
  if [ "$way" = systemd ]; then
    [ "$(id -u)" = 0 ] || fail "--way systemd needs root"
    command -v systemctl >/dev/null || fail "there is no systemd here; --way run"
    folder="${folder:-/opt/steelyard-agent}"
  else
    folder="${folder:-$HOME/.local/share/steelyard-agent}"
  fi
  umask 077
  mkdir -p "$folder"
  archive="$folder/steelyard-agent.pyz"

  if [ -n "$ca_sha256" ]; then
    # The console's CA is not known here yet; its digest came with the command, so nobody can put another in its place.
    curl -fsSk --max-redirs 0 "$url/agent/ca.pem" -o "$folder/ca.pem"
    echo "$ca_sha256  $folder/ca.pem" | sha256sum -c --status || fail "the console's CA is not the one of the command"
    SSL_CERT_FILE="$folder/ca.pem"
    export SSL_CERT_FILE
    curl -fsS --max-redirs 0 --cacert "$folder/ca.pem" "$url/agent/steelyard-agent.pyz" -o "$archive.new"
  else
    curl -fsS --max-redirs 0 "$url/agent/steelyard-agent.pyz" -o "$archive.new"
  fi
  echo "$ARCHIVE_SHA256  $archive.new" | sha256sum -c --status || fail "the agent is not what this script was made for"
  mv "$archive.new" "$archive"

  if [ "$way" = run ]; then
    export STEELYARD_AGENT_CACHE="$folder/lib"
    exec python3 "$archive" join "$url" --token "$token" --data "$folder/data" "$@"
  fi
  as_service "$@"
}

as_service() {
  data=/var/lib/steelyard-agent
  mkdir -p "$data"
  python3 "$archive" join "$url" --token "$token" --data "$data" "$@" &
  joining=$!
  tries=0
  while ! grep -q '"credential":"[^"]' "$data/agent.json" 2>/dev/null; do
    tries=$((tries + 1))
    kill -0 "$joining" 2>/dev/null || fail "the agent did not join"
    [ "$tries" -lt 60 ] || { kill "$joining"; fail "the agent did not join within 30 s"; }
    sleep 0.5
  done
  kill "$joining"
  wait "$joining" || true
  chmod 755 "$folder"
  chmod 644 "$archive"
  [ ! -f "$folder/ca.pem" ] || chmod 644 "$folder/ca.pem"
  cat > /etc/systemd/system/steelyard-agent.service <<UNIT
[Unit]
Description=Steelyard's agent
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=$(command -v python3) $archive run --data $data
Environment=STEELYARD_AGENT_CACHE=/var/cache/steelyard-agent
${SSL_CERT_FILE:+Environment=SSL_CERT_FILE=$SSL_CERT_FILE}
# Runs of process templates go on while the agent is restarted.
KillMode=process
DynamicUser=yes
StateDirectory=steelyard-agent
CacheDirectory=steelyard-agent
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
Restart=always
RestartSec=2
RestartPreventExitStatus=2

[Install]
WantedBy=multi-user.target
UNIT
  systemctl daemon-reload
  systemctl enable --now steelyard-agent.service
  echo "The agent runs as steelyard-agent.service."
}

main "$@"
