/** The ring beside that of libmemcached (`KETAMA_WEIGHTED`): a cache is shared with programs in other languages. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as MemcacheRing from "../../src/memcache/MemcacheRing.ts"
import * as Child from "../support/child.ts"
import { describePeer, type Peer, pythonWith } from "../support/peers.ts"

const library = "libmemcached.so.11"
const libmemcached: Peer = {
  ...pythonWith(`ctypes; ctypes.CDLL("${library}")`, "libmemcached11"),
  name: "libmemcached"
}

/** `HOST PORT WEIGHT` a line, then keys; says for each key which server has it. */
const program = `
import ctypes, sys
lib = ctypes.CDLL("${library}")
lib.memcached_create.restype = ctypes.c_void_p
lib.memcached_create.argtypes = [ctypes.c_void_p]
lib.memcached_behavior_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64]
lib.memcached_server_add_with_weight.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint16, ctypes.c_uint32]
lib.memcached_generate_hash.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
lib.memcached_generate_hash.restype = ctypes.c_uint32
servers, keys = sys.stdin.read().split("\\n\\n")
cache = lib.memcached_create(None)
KETAMA_WEIGHTED = 16
assert lib.memcached_behavior_set(cache, KETAMA_WEIGHTED, 1) == 0
for line in servers.split("\\n"):
    host, port, weight = line.split(" ")
    assert lib.memcached_server_add_with_weight(cache, host.encode(), int(port), int(weight)) == 0
for key in keys.split("\\n"):
    print(lib.memcached_generate_hash(cache, key.encode(), len(key)))
`

describePeer(libmemcached, (python) => {
  it.live("each key has the same server", () =>
    Effect.gen(function* () {
      const keys = Array.from({ length: 2_000 }, (_, i) => `key:${i}`)
      for (const weights of [
        [1, 1, 1, 1],
        [1, 2, 1, 7]
      ]) {
        const servers = weights.map((weight, i) => ({ host: `10.0.0.${i}`, port: 11_210 + i, weight }))
        const lines = servers.map(({ host, port, weight }) => `${host} ${port} ${weight}`)
        const { stderr, stdout } = yield* Child.run(python, ["-c", program], {
          input: `${lines.join("\n")}\n\n${keys.join("\n")}`
        })
        const ring = MemcacheRing.make(
          servers.map(({ host, port, weight }) => ({
            name: port === 11_211 ? host : `${host}:${port}`,
            weight
          }))
        )
        assert.deepStrictEqual(stdout.trim().split("\n").map(Number), keys.map(ring), stderr)
      }
    })
  )
})
