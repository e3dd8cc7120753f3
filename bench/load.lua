-- One scenario for wrk: path, body and tag come as arguments, the figures leave as one line of JSON.
local path, before, after, channels, tag
local number, again = 0, false

function init(args)
  path, before, after, channels, tag = args[1], args[2], args[3], tonumber(args[4]), args[5]
  again = after:find("@ID@", 1, true)
end

function request()
  number = number + 1
  local body = before
  if tag ~= "" then
    local id = tag .. string.format("%010d", number)
    body = before .. id .. (again and after:gsub("@ID@", id) or after)
  end
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
