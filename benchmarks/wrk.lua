-- Posts whole requests from the pool that benchmarks/ingest.py has signed; prints one line of JSON.
local pool, turn = {}, 0

function init()
  local file = assert(io.open(os.getenv("BENCH_POOL"), "rb"))
  while true do
    local size = file:read("*n")
    if not size then break end
    file:read(1)
    pool[#pool + 1] = file:read(size)
  end
  file:close()
end

function request()
  turn = turn % #pool + 1
  return pool[turn]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "seconds": %.3f, "p50_ms": %.2f, "p99_ms": %.2f, "refused": %d, "broken": %d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
