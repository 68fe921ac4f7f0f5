/** A file as an answer: its header, what of it is wanted, and its bytes at the pace at which they are taken. RFC 9110 §13-§15. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as PlatformErrors from "effect/PlatformError"
import * as Stream from "effect/Stream"
import * as ByteRanges from "./ByteRanges.ts"
import * as ErrorPage from "./ErrorPage.ts"
import * as Preconditions from "./Preconditions.ts"
import { randomBytes } from "./secureRandom.ts"
import type { OpenFile } from "./StaticStore.ts"

/** What is not longer is read at once, and sent with its header. */
const wholeBytesMax = 65_536
/** What is read at a time of what is longer, for each download: what malloc has at hand, where more would be mapped anew each time. */
const pieceBytes = 114_688
/** Younger than this, a file may change once more with the same time stamp, and is known by a weak tag. */
const settledMillis = 2000

export interface Representation {
  readonly file: OpenFile
  readonly contentType: string
  /** Its `Content-Encoding`, where it is another file than was asked for. */
  readonly coding?: string | undefined
  /** Others depend on these fields of the request. */
  readonly vary?: string | undefined
  /** Above what is said here. */
  readonly headers: Readonly<Record<string, string>>
}

type Response = HttpServerResponse.HttpServerResponse
type Fields = Readonly<Record<string, string>>

/** Whatever `request` is to be told of it: 200, 206, 304, 412 or 416. */
export const answer = Effect.fnUntraced(function* (
  request: HttpServerRequest,
  { coding, contentType, file, headers: given, vary }: Representation
) {
  const now = yield* Clock.currentTimeMillis
  const { sizeBytes } = file
  // The future is nobody's last modification (RFC 9110 §8.8.2.1).
  const modifiedMillis = Math.min(file.modifiedMillis, now)
  const tag = `"${file.stamp}${coding === undefined ? "" : `-${coding}`}"`
  const etag = now - modifiedMillis < settledMillis ? `W/${tag}` : tag
  const headers: Record<string, string> = {
    "accept-ranges": "bytes",
    etag,
    "last-modified": new Date(modifiedMillis).toUTCString(),
    "x-content-type-options": "nosniff"
  }
  if (vary !== undefined) headers["vary"] = vary
  if (coding !== undefined) headers["content-encoding"] = coding
  Object.assign(headers, given)
  const validators = { etag, modifiedMillis }
  const instead = Preconditions.evaluate(request.method, request.headers, validators)
  if (instead === 304) {
    const { "accept-ranges": _, "content-encoding": __, ...kept } = headers
    return HttpServerResponse.empty({ status: 304, headers: kept })
  }
  if (instead === 412) return ErrorPage.of(request, 412)
  const asked = request.method === "GET" ? request.headers["range"] : undefined
  const ranges =
    asked !== undefined && Preconditions.rangeApplies(request.headers["if-range"], validators, now)
      ? ByteRanges.parse(asked, sizeBytes)
      : undefined
  if (ranges === undefined)
    return yield* bodyOf(request, 200, file, { from: 0, to: sizeBytes }, contentType, headers)
  const [first, ...others] = ranges
  if (first === undefined) {
    return ErrorPage.of(request, 416, {
      headers: { "content-range": `bytes */${sizeBytes}`, "accept-ranges": "bytes" }
    })
  }
  if (others.length > 0) return yield* multipart(file, ranges, contentType, headers)
  headers["content-range"] = ByteRanges.contentRange(first, sizeBytes)
  return yield* bodyOf(request, 206, file, first, contentType, headers)
})

const bodyOf = (
  request: HttpServerRequest,
  status: number,
  file: OpenFile,
  range: ByteRanges.ByteRange,
  contentType: string,
  headers: Fields
): Effect.Effect<Response, PlatformErrors.PlatformError> => {
  const contentLength = range.to - range.from
  if (request.method === "HEAD") {
    const all = { ...headers, "content-type": contentType, "content-length": String(contentLength) }
    return Effect.succeed(HttpServerResponse.empty({ status, headers: all }))
  }
  if (contentLength <= wholeBytesMax) {
    return Effect.flatMap(file.read(range.from, contentLength), (bytes) =>
      bytes.length === contentLength
        ? Effect.succeed(HttpServerResponse.uint8Array(bytes, { status, headers, contentType }))
        : Effect.fail(shorter(file))
    )
  }
  return Effect.succeed(
    HttpServerResponse.stream(pieces(file, range), { status, headers, contentType, contentLength })
  )
}

/** A part must not pass for the whole: this breaks the connection off. */
const shorter = (file: OpenFile) =>
  PlatformErrors.systemError({
    _tag: "UnexpectedEof",
    module: "StaticFiles",
    method: "read",
    description: "it became shorter while it was sent",
    pathOrDescriptor: file.realPath
  })

const pieces = (
  file: OpenFile,
  { from, to }: ByteRanges.ByteRange
): Stream.Stream<Uint8Array, PlatformErrors.PlatformError> =>
  Stream.fromPull(
    Effect.sync(() => {
      let at = from
      type Piece = readonly [Uint8Array]
      return Effect.suspend((): Effect.Effect<Piece, PlatformErrors.PlatformError | Cause.Done> => {
        if (at >= to) return Cause.done()
        return Effect.flatMap(file.read(at, Math.min(pieceBytes, to - at)), (bytes) => {
          if (bytes.length === 0) return Effect.fail(shorter(file))
          at += bytes.length
          const piece: Piece = [bytes]
          return Effect.succeed(piece)
        })
      })
    })
  )

/** RFC 9110 §14.6. */
const multipart = Effect.fnUntraced(function* (
  file: OpenFile,
  ranges: ReadonlyArray<ByteRanges.ByteRange>,
  contentType: string,
  headers: Fields
) {
  const boundary = Hex.encode(yield* randomBytes(16))
  const encoder = new TextEncoder()
  const heads = ranges.map((range, i) =>
    encoder.encode(
      `${i === 0 ? "" : "\r\n"}--${boundary}\r\nContent-Type: ${contentType}\r\n` +
        `Content-Range: ${ByteRanges.contentRange(range, file.sizeBytes)}\r\n\r\n`
    )
  )
  const end = encoder.encode(`\r\n--${boundary}--\r\n`)
  const contentLength = ranges.reduce(
    (sum, { from, to }, i) => sum + heads[i]!.length + to - from,
    end.length
  )
  const parts = Stream.flatMap(Stream.fromIterable(ranges.entries()), ([i, range]) =>
    Stream.concat(Stream.make(heads[i]!), pieces(file, range))
  )
  return HttpServerResponse.stream(Stream.concat(parts, Stream.make(end)), {
    status: 206,
    headers,
    contentType: `multipart/byteranges; boundary=${boundary}`,
    contentLength
  })
})
