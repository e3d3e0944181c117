-- The language: values, control, functions, metatables, closures, coroutines, errors, goto, garbage.
local function show(...)
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = tostring(parts[i]) end
  print(table.concat(parts, " "))
end

-- Integers and floats.
show(7 // 2, -7 // 2, 7 % -3, -7 % 3, 7.5 // 2, 2 ^ 10, 10 / 4, 3 | 4, 6 & 3, 5 ~ 1, ~0, 1 << 62, 1 >> 1)
show(math.maxinteger + 1 == math.mininteger, math.type(1), math.type(1.0), math.type("1"), 1 == 1.0, "10" + 5, "3" * "4")
show(0x7fp-3, 1e15, 1e16, 123456789012345678, -0.0, 1 / 0, -1 / 0, 0 / 0 ~= 0 / 0)
for _, v in ipairs { 0.1, 1 / 3, 100.0, 1e100, 5e-324, 2 ^ 53, 1e308 * 10 } do io.write(string.format("%.17g ", v)) end
print()

-- Control, goto, attributes.
local log = {}
for i = 1, 3 do
  for j = 1, 3 do
    if j == 2 then goto continue end
    log[#log + 1] = i * 10 + j
    ::continue::
  end
end
show(table.concat(log, ","))
for x = 1.0, 2.0, 0.25 do io.write(x, " ") end
for x = 5, 1, -2 do io.write(x, " ") end
print()
do
  local order = {}
  local function closer(name) return setmetatable({}, { __close = function(_, e) order[#order + 1] = name .. tostring(e) end }) end
  pcall(function()
    local a <close> = closer "a"
    local b <close> = closer "b"
    local c <const> = 3
    error("x" .. c, 0)
  end)
  show(table.concat(order, " "))
end

-- Closures share their variables.
local function counter()
  local n = 0
  return function() n = n + 1 return n end, function(v) n = v end
end
local get, set = counter()
get() set(41)
show(get(), select("#", nil, nil), select(-1, 1, 2, 3), (function(...) return select("#", ...) end)(nil, nil, nil))

-- Recursion, tail calls, mutual recursion.
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local function loop(n, acc) if n == 0 then return acc end return loop(n - 1, acc + n) end
local function ack(m, n)
  if m == 0 then return n + 1 end
  if n == 0 then return ack(m - 1, 1) end
  return ack(m - 1, ack(m, n - 1))
end
show(fib(18), loop(20000, 0), ack(2, 5))

-- Metatables: arithmetic, comparison, calls, indexing, inheritance, concatenation, iteration.
local Vector = {}
Vector.__index = Vector
local function vector(x, y) return setmetatable({ x = x, y = y }, Vector) end
Vector.__add = function(a, b) return vector(a.x + b.x, a.y + b.y) end
Vector.__mul = function(a, b) if type(a) == "number" then return vector(a * b.x, a * b.y) end return a.x * b.x + a.y * b.y end
Vector.__eq = function(a, b) return a.x == b.x and a.y == b.y end
Vector.__lt = function(a, b) return a.x < b.x end
Vector.__le = function(a, b) return a.x <= b.x end
Vector.__len = function() return 2 end
Vector.__unm = function(a) return vector(-a.x, -a.y) end
Vector.__tostring = function(a) return "(" .. a.x .. "," .. a.y .. ")" end
Vector.__concat = function(a, b) return tostring(a) .. "|" .. tostring(b) end
Vector.__call = function(self, k) return self[k] end
Vector.__idiv = function(a, n) return vector(a.x // n, a.y // n) end
function Vector:length2() return self * self end
local a, b = vector(1, 2), vector(3, 4)
show(a + b, a * b, 2 * a, a == vector(1, 2), a < b, a <= b, #a, -a, a .. b, a "x", b:length2(), vector(7, 9) // 2)
local Base = setmetatable({}, { __call = function(class, ...) local o = setmetatable({}, class) o:init(...) return o end })
Base.__index = Base
function Base:init(name) self.name = name end
function Base:hello() return "I am " .. self.name end
local Derived = setmetatable({}, { __index = Base, __call = getmetatable(Base).__call })
Derived.__index = Derived
function Derived:hello() return Base.hello(self) .. "!" end
show(Derived("derived"):hello())
local defaults = setmetatable({}, { __index = function(t, k) local v = k .. k rawset(t, k, v) return v end })
show(defaults.ab, rawget(defaults, "ab"), rawlen({ 1, 2 }), rawequal(a, a))
local seen = {}
local readonly = setmetatable({}, { __newindex = function(_, k, v) seen[#seen + 1] = k .. "=" .. v end })
readonly.x = 1 readonly.y = 2
show(table.concat(seen, ","), next(readonly))
for k, v in pairs(setmetatable({}, { __pairs = function() return function(_, k) if not k then return 1, "one" end end, nil, nil end })) do show(k, v) end

-- Coroutines: generators, producers and consumers, errors inside, wrap, close.
local function permutations(list)
  local function go(n)
    if n == 0 then coroutine.yield(table.concat(list)) return end
    for i = 1, n do
      list[n], list[i] = list[i], list[n]
      go(n - 1)
      list[n], list[i] = list[i], list[n]
    end
  end
  return coroutine.wrap(function() go(#list) end)
end
local all = {}
for p in permutations { "a", "b", "c", "d" } do all[#all + 1] = p end
show(#all, all[1], all[24])
local echo = coroutine.create(function(x) while true do x = coroutine.yield(x * 2) end end)
local sum = 0
for i = 1, 100 do local _, v = coroutine.resume(echo, i) sum = sum + v end
show(sum, coroutine.status(echo), coroutine.close(echo), coroutine.status(echo))
local bad = coroutine.create(function() local x = nil; return x.field end)
show(coroutine.resume(bad))
show(coroutine.isyieldable(), coroutine.resume(coroutine.create(function() return coroutine.running() ~= nil end)))
local sieve = {}
local function filter(p, g) return coroutine.wrap(function() for n in g do if n % p ~= 0 then coroutine.yield(n) end end end) end
local gen = coroutine.wrap(function() for n = 2, 120 do coroutine.yield(n) end end)
while true do
  local p = gen()
  if not p then break end
  sieve[#sieve + 1] = p
  gen = filter(p, gen)
end
show(table.concat(sieve, " "))

-- Errors, which are long jumps: nested, rethrown, with tables, through coroutines and metamethods.
local function thrower(depth) if depth == 0 then error({ code = 42 }) end thrower(depth - 1) end
for depth = 0, 40, 8 do
  local ok, e = pcall(thrower, depth)
  io.write(tostring(ok), " ", e.code, " ")
end
print()
show(pcall(error), pcall(error, nil), select(2, pcall(error, "message", 0)))
show(xpcall(function() local t = setmetatable({}, { __add = function() error("in add", 0) end }) return t + 1 end, function(m) return "handled: " .. m end))
show(select(2, pcall(function() return #5 end)))
show(select(2, pcall(function() return {} < {} end)))
show(select(2, pcall(string.rep)))
local depth = 0
local function deep() depth = depth + 1 return 1 + deep() end
local ok, message = pcall(deep)
show(ok, depth > 1000, message:match("stack overflow") ~= nil)
show(pcall(function() local ok, e = pcall(error, "inner", 0) error("outer of " .. e, 0) end))

-- Chunks that are compiled here.
show(load("return 1 + ...")(41), load("syntax error here"))
local env = { y = 5 }
show(load("x = y * 2 return x", "chunk", "t", env)(), env.x, x)
local dumped = string.dump(function(n) return n * n end)
show(load(dumped, "dumped", "b")(12))

-- Garbage: cycles, weak tables, finalisers.
local weak = setmetatable({}, { __mode = "v" })
for i = 1, 200 do local t = { i } t.self = t weak[i] = t end
collectgarbage()
collectgarbage()
local left = 0
for _ in pairs(weak) do left = left + 1 end
local finalised = 0
for _ = 1, 50 do setmetatable({}, { __gc = function() finalised = finalised + 1 end }) end
collectgarbage()
show(left, finalised, collectgarbage("count") > 0)
collectgarbage("generational")
local keep = {}
for i = 1, 3000 do keep[i % 100 + 1] = { i, tostring(i) } end
collectgarbage("incremental")
show(#keep)
print("done")
