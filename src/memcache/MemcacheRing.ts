/**
 * Which server has a key: consistent hashing, as ketama and libmemcached do it. When a server comes or goes, only the keys that it has,
 * or gets, change their place.
 */
import { createHash } from "node:crypto"

export interface Server {
  /** What its place on the ring comes from: the same name, the same keys. */
  readonly name: string
  /** How much of the keys it gets beside the others. Default 1. */
  readonly weight?: number | undefined
}

/** Of a server of average weight: 40 digests, of four points each. */
const pointsPerServer = 160

const pointsOf = (text: string): ReadonlyArray<number> => {
  const digest = createHash("md5").update(text, "latin1").digest()
  return [0, 4, 8, 12].map((at) => digest.readUInt32LE(at))
}

/** The index of the server that has a key (a character for each byte). Throws a `RangeError` without servers, or for weights that are none. */
export const make = (servers: ReadonlyArray<Server>): ((key: string) => number) => {
  const weights = servers.map(({ weight = 1 }) => weight)
  if (servers.length === 0) throw new RangeError("there is no server")
  if (weights.some((weight) => !(weight > 0 && Number.isFinite(weight)))) {
    throw new RangeError("a weight is a number above 0")
  }
  if (servers.length === 1) return () => 0
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const points: Array<readonly [point: number, server: number]> = []
  for (const [index, { name }] of servers.entries()) {
    const share = (weights[index]! / total) * servers.length
    const digests = Math.max(1, Math.floor((share * pointsPerServer) / 4 + 1e-9))
    for (let i = 0; i < digests; i++) {
      for (const point of pointsOf(`${name}-${i}`)) points.push([point, index])
    }
  }
  // Of two at one place the earlier server has it, in whatever order they are found.
  points.sort(([a, first], [b, second]) => a - b || first - second)
  const places = Uint32Array.from(points, ([point]) => point)
  const owners = Uint16Array.from(points, ([, server]) => server)
  return (key) => {
    const wanted = pointsOf(key)[0]!
    let low = 0
    let high = places.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (places[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return owners[low === places.length ? 0 : low]!
  }
}
