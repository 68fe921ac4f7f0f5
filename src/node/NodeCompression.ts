/** Content codings by Node's zlib: bytes as a whole, and streams whose pieces leave as they come. */
import * as zlib from "node:zlib"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export type Coding = "gzip" | "deflate" | "br" | "zstd"

/** zstd since Node 22.15. */
export const codings: ReadonlySet<Coding> = new Set<Coding>(
  typeof zlib.createZstdCompress === "function"
    ? ["br", "zstd", "gzip", "deflate"]
    : ["br", "gzip", "deflate"]
)

const { constants } = zlib

interface Compressor {
  readonly stream: zlib.Gzip | zlib.Deflate | zlib.BrotliCompress | zlib.ZstdCompress
  /** What makes it give away what it has. */
  readonly flush: number
}

const compressor = (coding: Coding, level: number | undefined): Compressor => {
  switch (coding) {
    case "br": {
      const params: Record<number, number> = {}
      if (level !== undefined) params[constants.BROTLI_PARAM_QUALITY] = level
      return { stream: zlib.createBrotliCompress({ params }), flush: constants.BROTLI_OPERATION_FLUSH }
    }
    case "zstd": {
      const params: Record<number, number> = {}
      if (level !== undefined) params[constants.ZSTD_c_compressionLevel] = level
      return { stream: zlib.createZstdCompress({ params }), flush: constants.ZSTD_e_flush }
    }
    case "gzip":
      return { stream: zlib.createGzip({ level }), flush: constants.Z_SYNC_FLUSH }
    case "deflate":
      return { stream: zlib.createDeflate({ level }), flush: constants.Z_SYNC_FLUSH }
  }
}

/** Whatever it has given since it was last asked. */
class Output {
  readonly compressor: Compressor
  private pieces: Array<Uint8Array> = []
  private failure: Error | undefined
  private wake: (() => void) | undefined

  constructor(coding: Coding, level: number | undefined) {
    this.compressor = compressor(coding, level)
    this.compressor.stream
      .on("data", (piece: Uint8Array) => void this.pieces.push(piece))
      .on("error", (error: Error) => {
        this.failure = error
        this.wake?.()
      })
  }

  private readonly after = (begin: (done: () => void) => void): Effect.Effect<Uint8Array> =>
    Effect.callback<Uint8Array>((resume) => {
      const done = () => {
        this.wake = undefined
        if (this.failure !== undefined) return resume(Effect.die(this.failure))
        const { pieces } = this
        this.pieces = []
        resume(Effect.succeed(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)))
      }
      this.wake = done
      if (this.failure === undefined) begin(done)
      else done()
    })

  readonly piece = (bytes: Uint8Array): Effect.Effect<Uint8Array> =>
    this.after((done) => {
      const { flush, stream } = this.compressor
      stream.write(bytes)
      stream.flush(flush, done)
    })

  readonly end: Effect.Effect<Uint8Array> = this.after((done) => {
    this.compressor.stream.once("end", done).end()
  })

  readonly destroy = Effect.sync(() => void this.compressor.stream.destroy())
}

/** Whole. */
export const compress = (bytes: Uint8Array, coding: Coding, level?: number): Effect.Effect<Uint8Array> =>
  Effect.acquireUseRelease(
    Effect.sync(() => new Output(coding, level)),
    (output) =>
      Effect.suspend(() => {
        output.compressor.stream.write(bytes)
        return output.end
      }),
    ({ destroy }) => destroy
  )

/** Piece by piece: what somebody waits for does not wait for more. */
export const stream = <E>(
  pieces: Stream.Stream<Uint8Array, E>,
  coding: Coding,
  level?: number
): Stream.Stream<Uint8Array, E> =>
  Stream.unwrap(
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => new Output(coding, level)),
        ({ destroy }) => destroy
      ),
      (output) =>
        Stream.concat(Stream.mapEffect(pieces, output.piece), Stream.fromEffect(output.end)).pipe(
          Stream.filter(({ length }) => length > 0)
        )
    )
  )
