/** A client of server-sent events that comes back, as browsers' `EventSource` does (WHATWG HTML §9.2), on Effect's `HttpClient`. */
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Stream from "effect/Stream"

export interface Event {
  /** `message`, unless the server names another one. */
  readonly event: string
  readonly data: string
  /** The last one that was told, on this event or before it. */
  readonly id: string | undefined
}

export interface Options {
  /** How long to wait before coming back; the server may ask for another time. Default 3 seconds. */
  readonly retry?: Duration.Input | undefined
  /** What was seen already. */
  readonly lastEventId?: string | undefined
  /** An event, in characters; more is an error. Default 1,048,576. */
  readonly eventLengthMax?: number | undefined
}

/** There is no use in coming back: the server has no events there, or sends what is too long. */
export class EventSourceError extends Data.TaggedError("EventSourceError")<{
  readonly reason: "Status" | "ContentType" | "TooLong"
  readonly detail: string
}> {
  override get message(): string {
    return this.detail
  }
}

/** The server said that there will be no more. */
const over = Symbol("spindle/EventSource/over")

/**
 * The events behind an address. Whatever the network does it comes back, and asks for what it missed; it ends when the server
 * answers with 204, and fails when the answer is neither.
 */
export const events = (
  request: string | URL | HttpClientRequest.HttpClientRequest,
  options: Options = {}
): Stream.Stream<Event, EventSourceError, HttpClient.HttpClient> =>
  Stream.suspend(() => {
    let { lastEventId } = options
    let wait: Duration.Input = options.retry ?? "3 seconds"
    let isFirst = true
    const asked = HttpClientRequest.isHttpClientRequest(request) ? request : HttpClientRequest.get(request)
    const fields = HttpClientRequest.setHeaders(asked, {
      accept: "text/event-stream",
      "cache-control": "no-store"
    })

    const connection = Effect.gen(function* () {
      if (!isFirst) yield* Effect.sleep(wait)
      isFirst = false
      const again =
        lastEventId === undefined ? fields : HttpClientRequest.setHeader(fields, "last-event-id", lastEventId)
      const response = yield* HttpClient.execute(again)
      if (response.status === 204) return Stream.succeed<typeof over | Event>(over)
      if (response.status !== 200) return failed("Status", `the server answered with ${response.status}`)
      if (!/^text\/event-stream *(;|$)/i.test(response.headers["content-type"] ?? "")) {
        return failed("ContentType", "what the server answered are no events")
      }
      let found: Array<Event> = []
      const parser = Sse.makeParser(
        (parsed) => {
          if (parsed._tag === "Retry") wait = parsed.duration
          else {
            lastEventId = parsed.id ?? lastEventId
            found.push({ event: parsed.event, data: parsed.data, id: lastEventId })
          }
        },
        { maxEventSize: options.eventLengthMax ?? 1_048_576 }
      )
      return response.stream.pipe(
        Stream.decodeText,
        Stream.catch(() => Stream.empty),
        Stream.mapEffect((text) => {
          const fault = parser.feed(text)
          const parsed = found
          found = []
          return fault === undefined ? Effect.succeed(parsed) : Effect.fail(tooLong(fault.message))
        }),
        Stream.flattenIterable
      )
    })

    return Stream.unwrap(
      Effect.catchTag(connection, "HttpClientError", () => Effect.succeed(Stream.empty))
    ).pipe(
      Stream.forever,
      Stream.takeWhile((event): event is Event => event !== over)
    )
  })

const failed = (reason: EventSourceError["reason"], detail: string) =>
  Stream.fail(new EventSourceError({ reason, detail }))

const tooLong = (detail: string) => new EventSourceError({ reason: "TooLong", detail })
