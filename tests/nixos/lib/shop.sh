# shellcheck shell=bash
# The app of the test: counts one believable minute, says so, and stays.
REDISCLI_AUTH=$(cat "$CREDENTIALS_DIRECTORY/redis")
export REDISCLI_AUTH
redis() { redis-cli -s "$SOCKET" "$@" >/dev/null; }

until redis ping; do sleep 0.1; done

today=metrics:$(date -u +%F)
yesterday=metrics:$(date -u -d yesterday +%F)
redis incrby "$today:orders" 3
redis set "$yesterday:orders" 5
redis hincrby "$today:refusals" limit 2
redis hincrby "$today:refusals" "stolen card" 1
redis pfadd "$today:buyers" 41 42
redis sadd "$today:sellers" a b c
redis hincrby "$today:payment" count 2
redis hincrby "$today:payment" ms 490
redis hset metrics:now users_total 12
for name in orders refusals buyers sellers payment; do
    redis expire "$today:$name" 2592000
done
redis expire "$yesterday:orders" 2592000

cat <<'JSON'
{"level":30,"time":1763452800000,"event":"order_placed","conversation_id":"c-7","user":"u-42","amount":12.5,"msg":"Order placed"}
{"level":50,"time":1763452800001,"event":"payment_failed","user":"u-42","msg":"Payment refused"}
JSON
echo 'a plain line'

exec sleep infinity
