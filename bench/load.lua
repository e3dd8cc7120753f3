-- One scenario for wrk: path, body and tag come as arguments, the figures leave as one line of JSON.
local path, before, after, channels, tag
local number = 0

function init(args)
  path, before, after, channels, tag = args[1], args[2], args[3], tonumber(args[4]), args[5]
end

function request()
  number = number + 1
  local body = before
  if tag ~= "" then body = before .. tag .. string.format("%010d", number) .. after end
  local target = path:gsub("@N@", tostring(number % channels))
  return wrk.format("POST", target, nil, body)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "p50_us": %d, "p99_us": %d, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
