#!/bin/sh
# The entry point of the container image: fills in what a container needs and nobody gave, then becomes `fleuve`.
#
# As Apache Kafka's image does: `KAFKA_*` variables are settings; a file mounted as /mnt/shared/config/server.properties
# (or, as many do, over the one in /opt/kafka/config) is read; listeners follow from the advertised listeners, on every
# interface. As Kafka does: listeners without a host are advertised under the name of the machine. With nothing given,
# the broker is for clients on the container's host.
set -eu

case ${1-} in
    serve) shift ;;
    --version | --help | -h) exec fleuve "$@" ;;
    -*) ;; # Flags of serve.
    *) exec fleuve "$@" ;; # Any other command: docker run fleuve topic list -b broker:9092
esac

config=''
for file in /etc/fleuve/server.properties /opt/kafka/config/server.properties /mnt/shared/config/server.properties; do
    [ ! -f "$file" ] || config=$file
done
listen=''
for argument in "$@"; do
    case $argument in
        --config | --config=*) config='' ;;
        --listen | --listen=*) listen=given ;;
    esac
done
[ -z "$config" ] || set -- --config "$config" "$@"

listeners=${KAFKA_LISTENERS:-${KAFKA_CFG_LISTENERS:-}}
advertised=${KAFKA_ADVERTISED_LISTENERS:-${KAFKA_CFG_ADVERTISED_LISTENERS:-}}
if [ -n "$listen" ] || { [ -n "$config" ] && grep -Eq '^[[:space:]]*(advertised\.)?listeners[[:space:]]*[=:]' "$config"; }; then
    : # Said in full elsewhere.
elif [ -z "$listeners$advertised" ]; then
    export KAFKA_LISTENERS=PLAINTEXT://:9092 KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9092
elif [ -z "$listeners" ]; then
    KAFKA_LISTENERS=$(printf '%s' "$advertised" | sed -E 's#://(\[[^]]*\]|[^:,]*):#://:#g')
    export KAFKA_LISTENERS
elif [ -z "$advertised" ]; then
    KAFKA_ADVERTISED_LISTENERS=$(printf '%s' "$listeners" | sed "s#://:#://$(hostname):#g")
    export KAFKA_ADVERTISED_LISTENERS
fi

exec fleuve serve "$@"
