/** An answer, written: Effect's `HttpServerResponse` on Node's streams. */
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import type * as streamWeb from "node:stream/web"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Cookies from "effect/http/Cookies"
import { causeResponse, HttpServerError, ResponseError } from "effect/http/HttpServerError"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as EffectHeaders from "effect/http/Headers"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import type { AnswerBody, AnswerHeaders as Headers, HttpExchange } from "./NodeHttpExchange.ts"
import type { NodeHttpRequest } from "./NodeHttpRequest.ts"
import * as NodeHttpTrailers from "./NodeHttpTrailers.ts"

type Response = HttpServerResponse.HttpServerResponse

/** What is smaller has left, or is in the kernel, by the time that anybody could wait for it. */
const waitBytesMin = 1_048_576

/** Writes the answer. What fails before its header has left is answered with an error; later, the connection is broken off. */
export const write = (
  request: HttpServerRequest,
  response: Response
): Effect.Effect<unknown, HttpServerError> => {
  const { exchange } = request as NodeHttpRequest
  // Nothing can reach whoever is gone.
  if (exchange.isLost) return cancel(response)
  const fail = failing(exchange, response)
  try {
    return send(exchange, request, response, fail)
  } catch (defect) {
    // Node refuses header fields that could not be sent as they are.
    return Effect.andThen(cancel(response), fail(Cause.die(defect)))
  }
}

type Fail = (cause: Cause.Cause<HttpServerError>) => Effect.Effect<never, HttpServerError>

const send = (
  exchange: HttpExchange,
  request: HttpServerRequest,
  response: Response,
  fail: Fail
): Effect.Effect<unknown, HttpServerError> => {
  const { out } = exchange
  const { body } = response
  const headers = headersOf(response)
  if (request.method === "HEAD" || HttpServerResponse.omitsBody(response)) {
    writeHead(exchange, response, headers, "None")
    out.end()
    return cancel(response)
  }
  const trailers = NodeHttpTrailers.of(exchange.request)
  if (trailers !== undefined && exchange.request.httpVersion !== "1.0") {
    const stream = streamOf(body)
    if (stream !== undefined) {
      // Chunks only have something behind them.
      const { "content-length": said, ...others } = headers
      writeHead(exchange, response, { ...others, trailer: trailers.names.join(", ") }, "Trailed")
      return pour(exchange, stream, said === undefined ? undefined : Number(said), fail, trailers)
    }
  }
  switch (body._tag) {
    case "Empty":
      writeHead(exchange, response, withoutBody(headers), "None")
      out.end()
      return Effect.void
    case "Uint8Array":
      return end(exchange, response, headers, body.text ?? body.body, body.contentLength, fail)
    case "Raw":
      return sendRaw(exchange, request, response, headers, fail)
    case "FormData": {
      const form = new globalThis.Response(body.formData)
      const all = { ...headers, ...Object.fromEntries(form.headers) }
      writeHead(exchange, response, all, "Stream")
      return pipe(exchange, request, response, readableOf(form.body), fail)
    }
    case "Stream":
      writeHead(exchange, response, headers, "Stream")
      return pour(exchange, body.stream, lengthSaid(headers), fail)
  }
}

/** Undefined: files and forms of another platform. */
const streamOf = (body: Response["body"]): Stream.Stream<Uint8Array, unknown> | undefined =>
  body._tag === "Stream"
    ? body.stream
    : body._tag === "Uint8Array"
      ? Stream.succeed(body.body)
      : body._tag === "Empty"
        ? Stream.empty
        : undefined

const sendRaw = (
  exchange: HttpExchange,
  request: HttpServerRequest,
  response: Response,
  headers: Headers,
  fail: Fail
): Effect.Effect<unknown, HttpServerError> => {
  const raw = response.body._tag === "Raw" ? response.body.body : undefined
  const readable =
    raw instanceof Readable
      ? raw
      : raw instanceof ReadableStream
        ? readableOf(raw)
        : raw instanceof globalThis.Response
          ? readableOf(raw.body)
          : undefined
  if (readable !== undefined) {
    writeHead(exchange, response, headers, "Stream")
    return pipe(exchange, request, response, readable, fail)
  }
  const bytes = raw instanceof Uint8Array ? raw : raw === undefined || raw === null ? "" : String(raw)
  return end(exchange, response, headers, bytes, Buffer.byteLength(bytes), fail)
}

const readableOf = (stream: globalThis.ReadableStream | null): Readable =>
  stream === null ? Readable.from([]) : Readable.fromWeb(stream as streamWeb.ReadableStream)

const end = (
  exchange: HttpExchange,
  response: Response,
  headers: Headers,
  bytes: string | Uint8Array,
  length: number,
  fail: Fail
): Effect.Effect<void, HttpServerError> => {
  const { out, pieceBytesMax } = exchange
  const said = lengthSaid(headers)
  if (said !== undefined && said !== length)
    throw new Error(`${length} bytes, and a content-length of ${said}`)
  writeHead(exchange, response, headers, length === 0 ? "None" : "Bytes")
  if (length > pieceBytesMax) return pour(exchange, Stream.succeed(bytesOf(bytes)), said, fail)
  if (length < waitBytesMin) {
    out.end(bytes)
    return Effect.void
  }
  return Effect.callback<void>((resume) => {
    out.once("close", () => resume(Effect.void))
    try {
      out.end(bytes)
    } catch (defect) {
      resume(Effect.die(defect))
    }
  }).pipe(Effect.interruptible, Effect.catchCause(fail))
}

const lengthSaid = (headers: Headers): number | undefined => {
  const said = headers["content-length"]
  return said === undefined ? undefined : Number(said)
}

const bytesOf = (bytes: string | Uint8Array): Uint8Array =>
  typeof bytes === "string" ? Buffer.from(bytes) : bytes

/** At the pace at which the peer takes it. */
const pour = (
  exchange: HttpExchange,
  stream: Stream.Stream<Uint8Array, unknown>,
  said: number | undefined,
  fail: Fail,
  trailers?: NodeHttpTrailers.Trailers
): Effect.Effect<void, HttpServerError> => {
  const { out, pieceBytesMax } = exchange
  const room = Effect.callback<void>((resume) => {
    if (!out.writableNeedDrain || out.destroyed) return resume(Effect.void)
    const done = () => {
      out.off("drain", done).off("close", done)
      resume(Effect.void)
    }
    out.on("drain", done).on("close", done)
    return Effect.sync(() => void out.off("drain", done).off("close", done))
  })
  let rest = said ?? Number.POSITIVE_INFINITY
  const put = (bytes: Uint8Array): Effect.Effect<void> => {
    if (bytes.length > pieceBytesMax) {
      return Effect.andThen(
        Effect.suspend(() => put(bytes.subarray(0, pieceBytesMax))),
        Effect.suspend(() => put(bytes.subarray(pieceBytesMax)))
      )
    }
    rest -= bytes.length
    if (rest < 0) return Effect.die(new Error(`the body has more than ${said} bytes, its content-length`))
    return bytes.length === 0 || out.write(bytes) ? Effect.void : room
  }
  return stream.pipe(
    Stream.orDie,
    Stream.runForEachArray((pieces) => put(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces))),
    Effect.andThen(
      Effect.suspend(() => {
        if (said !== undefined && rest > 0)
          return Effect.die(new Error(`the body has less than ${said} bytes, its content-length`))
        if (trailers !== undefined) return finish(exchange, trailers)
        out.end()
        return Effect.void
      })
    ),
    Effect.interruptible,
    Effect.catchCause(fail)
  )
}

const finish = (exchange: HttpExchange, { fields }: NodeHttpTrailers.Trailers): Effect.Effect<void> =>
  Effect.map(fields, (input) => {
    const trailers = EffectHeaders.fromInput(input)
    const wrong = Object.keys(trailers).find((name) => !NodeHttpTrailers.mayFollow(name))
    if (wrong !== undefined) throw new RangeError(`${JSON.stringify(wrong)} must not follow a body`)
    exchange.finish(trailers)
  })

const pipe = (
  { out }: HttpExchange,
  request: HttpServerRequest,
  response: Response,
  readable: Readable,
  fail: Fail
): Effect.Effect<void, HttpServerError> =>
  Effect.tryPromise({
    try: (signal) => pipeline(counted(readable, response), out, { signal }),
    catch: (cause) =>
      new HttpServerError({
        reason: new ResponseError({ request, response, description: "the body could not be sent", cause })
      })
  }).pipe(Effect.interruptible, Effect.catchCause(fail))

/** Node would throw outside of the pipeline over a body that is longer or shorter than was said. */
const counted = (readable: Readable, { headers }: Response) => {
  const said = headers["content-length"]
  return async function* (): AsyncGenerator<unknown> {
    let rest = said === undefined ? Number.POSITIVE_INFINITY : Number(said)
    for await (const piece of readable) {
      rest -= (piece as { readonly length: number }).length
      if (rest < 0) throw new Error(`the body has more than ${said} bytes, its content-length`)
      yield piece
    }
    if (said !== undefined && rest > 0)
      throw new Error(`the body has less than ${said} bytes, its content-length`)
  }
}

const headersOf = (response: Response): Headers => {
  let headers: Headers = response.headers
  if (response.status === 204 || response.status === 205) {
    const { "content-length": _, ...others } = headers
    headers = others
  }
  if (Cookies.isEmpty(response.cookies)) return headers
  const given = headers["set-cookie"]
  const cookies = Cookies.toSetCookieHeaders(response.cookies)
  return { ...headers, "set-cookie": given === undefined ? cookies : [...cookies, ...[given].flat()] }
}

/** Where nothing is said of the length, Node would send a body in chunks, and none of them. */
const withoutBody = (headers: Headers): Headers =>
  headers["content-length"] === undefined && headers["transfer-encoding"] === undefined
    ? { ...headers, "content-length": "0" }
    : headers

const writeHead = (
  exchange: HttpExchange,
  { status, statusText }: Response,
  headers: Headers,
  body: AnswerBody
): void => {
  // Node sends 1xx as an answer that another one follows.
  if (!(status >= 200 && status <= 599)) throw new RangeError(`${status} is no status of an answer`)
  exchange.writeHead(status, statusText, headers, body)
}

const failing =
  (exchange: HttpExchange, response: Response): Fail =>
  (cause) =>
    Effect.flatMap(causeResponse(cause), ([answer, rest]) => {
      const { out } = exchange
      const begun = exchange.headersSent
      if (!begun) {
        try {
          writeHead(exchange, answer.status < 200 ? failure : answer, withoutBody({}), "None")
        } catch {
          exchange.breakOff()
        }
      }
      if (begun) exchange.breakOff()
      else if (!out.writableEnded && !out.destroyed) out.end()
      return Effect.failCause(begun ? Cause.combine(cause, Cause.die(response)) : rest)
    })

const failure = HttpServerResponse.empty({ status: 500 })

/** Nobody will read it. */
const cancel = ({ body }: Response): Effect.Effect<void> =>
  body._tag === "Raw" && body.body instanceof Readable
    ? Effect.sync(() => void (body.body as Readable).destroy())
    : Effect.void
