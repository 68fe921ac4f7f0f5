/** How files are sent: at the pace at which they are taken, whole or broken off, and closed again whatever happens. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodeFileStore from "../../src/node/NodeFileStore.ts"
import * as StaticFiles from "../../src/http/StaticFiles.ts"
import { type FileStore, StaticStore } from "../../src/http/StaticStore.ts"
import { get, until } from "./httpKit.ts"
import { asking, directory, write } from "./staticKit.ts"

interface Watched {
  readonly store: FileStore
  opened: number
  closed: number
  bytesRead: number
  /** What becomes of the next reads. */
  cut: number
}

const watched = (): Watched => {
  const watched: Watched = {
    opened: 0,
    closed: 0,
    bytesRead: 0,
    cut: Number.POSITIVE_INFINITY,
    store: {
      ...NodeFileStore.make,
      open: (path) =>
        Effect.gen(function* () {
          const file = yield* NodeFileStore.make.open(path)
          yield* Effect.acquireRelease(
            Effect.sync(() => void watched.opened++),
            () => Effect.sync(() => void watched.closed++)
          )
          return {
            ...file,
            read: (offset: number, bytesMax: number) =>
              Effect.map(file.read(offset, bytesMax), (bytes) => {
                const kept = bytes.subarray(0, Math.max(0, watched.cut - offset))
                watched.bytesRead += kept.length
                return kept
              })
          }
        })
    }
  }
  return watched
}

const sizeBytes = 32 * 1024 * 1024

const serving = (watched: Watched, kind: "memory" | "tcp") =>
  Effect.gen(function* () {
    const root = yield* directory
    write(root, "big.bin", new Uint8Array(sizeBytes))
    write(root, "small.txt", "small")
    const { ask } = yield* asking(
      Layer.provide(StaticFiles.layer({ root }), Layer.succeed(StaticStore, watched.store)),
      kind
    )
    return { ask }
  })

/** Until it is so; the test's own limit ends it otherwise. */
const eventually = (condition: () => boolean) =>
  Effect.gen(function* () {
    while (!condition()) yield* Effect.sleep("20 millis")
  })

describe("StaticFiles", () => {
  it.live("a file that becomes shorter meanwhile is broken off, not ended", () =>
    Effect.gen(function* () {
      const watch = watched()
      const { ask } = yield* serving(watch, "tcp")
      watch.cut = 1_000_000
      // Kept alive, a connection that were not ended would give the next answer to who waits for the rest of this one.
      const answer = yield* ask(get("/big.bin", ""))
      const body = answer.slice(answer.indexOf("\r\n\r\n") + 4)
      assert.match(answer, /^HTTP\/1\.1 200/)
      assert.isBelow(body.length, sizeBytes)
      watch.cut = 2
      // What is sent at once says so by its status.
      assert.match(yield* ask(get("/small.txt")), /^HTTP\/1\.1 500/)
      watch.cut = Number.POSITIVE_INFINITY
      assert.isTrue((yield* ask(get("/small.txt"))).endsWith("small"))
      assert.strictEqual(watch.opened, watch.closed)
    })
  )

  for (const kind of ["memory", "tcp"] as const) {
    it.live(`who takes nothing is read little for, and who goes closes the file, over ${kind}`, () =>
      Effect.gen(function* () {
        const watch = watched()
        const root = yield* directory
        write(root, "big.bin", new Uint8Array(sizeBytes))
        const { connect } = yield* asking(
          Layer.provide(StaticFiles.layer({ root }), Layer.succeed(StaticStore, watch.store)),
          kind
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            const transport = yield* connect
            yield* transport.send(get("/big.bin"))
            yield* until(transport, /\r\n\r\n/)
            // As long as anything is taken, it goes on.
            let before = -1
            while (watch.bytesRead !== before) {
              before = watch.bytesRead
              yield* Effect.sleep("300 millis")
            }
            // The kernel's buffers on both sides, and ours.
            assert.isBelow(watch.bytesRead, sizeBytes / 2)
            assert.deepStrictEqual([watch.opened, watch.closed], [1, 0])
            yield* transport.abort
          })
        )
        yield* eventually(() => watch.closed === 1)
        assert.isBelow(watch.bytesRead, sizeBytes)
      })
    )
  }
})
