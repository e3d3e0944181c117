-- The libraries: strings, patterns, packing, utf8, tables, math, os, io.
local function show(...)
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = tostring(parts[i]) end
  print(table.concat(parts, " "))
end

-- Strings and formats.
show(("hello"):upper(), ("Hello"):lower(), ("abc"):reverse(), ("ab"):rep(3, "-"), ("hello"):sub(-3), ("hello"):sub(2, 3), #"\u{20AC}")
show(("abc"):byte(1, -1)) show(string.char(72, 105)) show(("x"):rep(0) == "", ("%5.2f|%-6s|%06d|%x|%q"):format(3.14159, "ab", 42, 255, "a\n\"b\"\0c"))
show(string.format("%g %e %a %i %c %o %%", 0.1, 12345.678, 1.0, 7, 65, 8), string.format("%s %10.3s|", {} ~= nil, "abcdef"))
show(tostring(1e15), tostring(2 ^ 63), tostring(-2 ^ 63), 9007199254740993, 1e300 * 1e10, tonumber("0x1p4"), tonumber("z", 36), tonumber("8", 8), tonumber("  12  "), tonumber("1e"))

-- Patterns.
show(("key = value"):match("^(%w+)%s*=%s*(%w+)$"))
show(("one two  three"):gsub("%s+", "_"))
show(("hello world"):gsub("o", { o = "0" }), ("hello"):gsub("", "-"))
show(("abc"):gsub("%w", "%0%0"), ("abc def"):gsub("%f[%w]%w+", string.upper))
show(("f(a(b)c)d"):match("%b()"), ("  trim  "):match("^%s*(.-)%s*$") .. "|", ("2024-01-31"):match("(%d+)-(%d+)-(%d+)"))
for k, v in ("a=1, b=2, c=3"):gmatch("(%w+)=(%w+)") do io.write(k, ":", v, " ") end
print()
show(("hello"):find("l"), ("hello"):find("xyz"), ("a.b"):find(".", 1, true), ("hello"):find("(l)(l)"))
show(select(2, pcall(string.find, "a", "[a")), select(2, pcall(string.rep, "x", 1 << 40)))
local words = {}
for w in ("the quick brown fox jumps over the lazy dog the end"):gmatch("%a+") do words[w] = (words[w] or 0) + 1 end
local sorted = {}
for w, n in pairs(words) do sorted[#sorted + 1] = w .. n end
table.sort(sorted)
show(table.concat(sorted, " "))

-- Packing and utf8.
local packed = string.pack("<i4 >I2 d s1 z", -2, 513, 1.5, "abc", "zero")
show(#packed, string.unpack("<i4 >I2 d s1 z", packed))
show(string.packsize("i8 i4 i2 i1"), (string.pack(">I3", 0x010203):byte(1, -1)))
show(utf8.char(228, 8364, 128512), utf8.len("äöü"), utf8.codepoint("€", 1), utf8.offset("aäb", 3))
for p, c in utf8.codes("aß€") do io.write(p, ":", c, " ") end
print()
show(utf8.len("\xff"))

-- Tables.
local t = { 5, 2, 8, 1, 9, 3 }
table.sort(t) show(table.concat(t, " "))
table.sort(t, function(x, y) return x > y end) show(table.concat(t, " "))
table.insert(t, 4) table.insert(t, 1, 0) show(table.concat(t, " "), table.remove(t), table.remove(t, 1), #t)
show(table.unpack({ 1, 2, 3 }, 2)) show(table.concat(table.move({ 1, 2, 3 }, 1, 3, 2), ","), table.pack(1, nil, 3).n)
local big = {}
local seed = 12345
for i = 1, 1500 do seed = (seed * 1103515245 + 12345) % 2147483648 big[i] = seed end
table.sort(big)
local ordered = true
for i = 2, #big do ordered = ordered and big[i - 1] <= big[i] end
show(ordered, big[1], big[#big])
show(select(2, pcall(table.sort, { 3, 1, "x" })))

-- Mathematics.
show(math.floor(-3.5), math.ceil(-3.5), math.abs(-4), math.max(1, 5, 3), math.min(2.5, 1), math.fmod(-7, 3), math.modf(3.75))
for _, f in ipairs { "sin", "cos", "tan", "exp", "log", "sqrt", "asin", "atan" } do io.write(f, "=", string.format("%.12f", math[f](0.5)), " ") end
print()
show(math.tointeger(3.0), math.tointeger(3.5), math.ult(1, -1), math.pi, math.log(8, 2), math.log(1000, 10))
math.randomseed(42)
local first = { math.random(100), math.random(1, 6), math.random() < 1 }
math.randomseed(42)
show(first[1] == math.random(100), first[2] == math.random(1, 6), first[3])

-- Files.
local name = "libraries.tmp"
local f <close> = assert(io.open(name, "w+"))
for i = 1, 200 do f:write("line ", i, "\n") end
f:seek("set", 0)
local lines, total = 0, 0
for line in f:lines() do lines = lines + 1 total = total + #line end
show(lines, total, f:seek("end"), f:seek("set", 5), f:read("n"), f:read("l"), f:read(4), f:read("L"))
f:seek("end") f:write("last") f:flush() f:close()
show(io.type(f), #io.open(name):read("a"))
local numbers = assert(io.open(name, "w"))
numbers:write("12 0x1F -3.5e2 nan\n") numbers:close()
numbers = io.open(name)
show(numbers:read("n", "n", "n", "n")) numbers:close()
for l in io.lines(name, "L") do io.write(l) end
show(os.rename(name, name .. "2"), io.open(name), os.remove(name .. "2"), select(2, os.remove(name .. "2")))
local scratch = io.tmpfile() scratch:write("temporary") scratch:seek("set") show(scratch:read("a")) scratch:close()
io.output():write("written to the output\n")
show(pcall(io.lines, "no such file"))

-- Time, of which only what does not depend on now is shown.
show(os.time { year = 2020, month = 12, day = 1, hour = 0 } - os.time { year = 2020, month = 11, day = 1, hour = 0 }, os.date("!%Y-%m-%d %H:%M:%S %j %a %b", 86400 * 365))
show(os.difftime(5, 3), type(os.time()), type(os.clock()), os.getenv("no_such_variable"), os.date("!*t", 0).year)
local modules = {}
for m in pairs(package.loaded) do modules[#modules + 1] = m end
table.sort(modules)
show(table.concat(modules, " "))
package.preload.mine = function(n) return { name = n } end
show(require("mine").name, require("mine") == require("mine"), pcall(require, "none.such") == false)
show(debug.getinfo(1, "l").currentline, debug.traceback("trace", 1):match("^trace\nstack traceback:") ~= nil, debug.getinfo(print).what)
print("done")
