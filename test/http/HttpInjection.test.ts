/** What an application says in the fields of an answer ends neither the field nor the header, whatever somebody put into it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as ErrorPage from "../../src/http/ErrorPage.ts"
import * as HttpTrailers from "../../src/http/HttpTrailers.ts"
import * as Rewrite from "../../src/http/Rewrite.ts"
import { ask, get2, serving2 } from "./http2Kit.ts"
import { get, served } from "./httpKit.ts"

/** Ends of lines, as they are and as they become where only the last byte of a character is kept. */
const ends = ["\r\n", "\n", "\r", "\r\n\r\n", "\u010d\u010a", "\u560d\u560a", "\0", "\u2028", "\v"]
const harmless = "x-fine"
const texts = [
  harmless,
  ...ends.flatMap((end) => [`a${end}x-evil: 1`, `${end}x-evil: 1${end}`, `a${end}${end}<script>`])
]

const say = HttpServerResponse.text("said")
const places: Readonly<Record<string, (text: string) => HttpServerResponse.HttpServerResponse>> = {
  value: (text) => HttpServerResponse.setHeader(say, "x-said", text),
  name: (text) => HttpServerResponse.setHeader(say, text, "1"),
  type: (text) => HttpServerResponse.text("said", { contentType: text }),
  status: (text) => HttpServerResponse.setStatus(say, 200, text),
  location: (text) => HttpServerResponse.redirect(text),
  cookie: (text) => HttpServerResponse.setHeader(say, "set-cookie", `a=${text}`),
  cookieValue: (text) => HttpServerResponse.setCookieUnsafe(say, "a", text),
  cookiePath: (text) => HttpServerResponse.setCookieUnsafe(say, "a", "b", { path: text }),
  cookieName: (text) => HttpServerResponse.setCookieUnsafe(say, text, "b")
}

const application = served(
  Layer.mergeAll(
    HttpRouter.addAll(
      Object.entries(places).map(([place, respond]) =>
        HttpRouter.route(
          "GET",
          `/${place}/:at`,
          Effect.map(HttpRouter.params, ({ at }) => respond(texts[Number(at)]!))
        )
      )
    ),
    HttpRouter.add(
      "GET",
      "/page/:at",
      Effect.flatMap(HttpServerRequest, (request) =>
        Effect.map(HttpRouter.params, ({ at }) => ErrorPage.of(request, 404, { detail: texts[Number(at)]! }))
      )
    ),
    HttpRouter.add(
      "GET",
      "/trailer/:at",
      Effect.flatMap(HttpRouter.params, ({ at }) =>
        Effect.as(HttpTrailers.send(["x-said"], Effect.succeed({ "x-said": texts[Number(at)]! })), say)
      )
    ),
    HttpRouter.add(
      "GET",
      "/announced/:at",
      Effect.flatMap(HttpRouter.params, ({ at }) =>
        Effect.as(HttpTrailers.send([texts[Number(at)]!], Effect.succeed({})), say)
      )
    ),
    Rewrite.layer([Rewrite.redirect("/moved/*", "/to/*")])
  )
)

const targets = [...Object.keys(places), "page", "trailer", "announced"].flatMap((place) =>
  texts.map((_, at) => `/${place}/${at}`)
)
const redirected = ends.map((end) => `/moved/a${encodeURIComponent(end)}x-evil:%201`)

for (const kind of ["tcp", "memory"] as const) {
  describe(`fields with anything in them over ${kind}`, () => {
    it.live("HTTP/1.1", () =>
      Effect.gen(function* () {
        const { ask, bound } = yield* serving2(kind, {}, application)
        for (const target of [...targets, ...redirected]) {
          const answer = yield* ask(get(target))
          const [head = ""] = answer.split("\r\n\r\n", 1)
          assert.notMatch(head, /[\r\n\0\v]x-evil/, target)
          if (!target.startsWith("/page/")) assert.notMatch(answer, /[\r\n\0\v]x-evil/, target)
          assert.notInclude(answer, "<script>", target)
          if (target.endsWith("/0")) assert.include(answer, harmless, target)
          // One answer, of one header.
          assert.strictEqual(
            answer.match(/HTTP\/1\.1 \d/g)?.length ?? 0,
            answer === "" || answer === "<reset>" ? 0 : 1,
            target
          )
        }
        assert.strictEqual((yield* bound.counts).active, 0)
      })
    )

    it.live("HTTP/2", () =>
      Effect.gen(function* () {
        const { open } = yield* serving2(kind, { requestsPerConnectionMax: 0 }, application)
        const client = yield* open()
        for (const target of [...targets, ...redirected]) {
          const { body, headers } = yield* ask(client, get2(target))
          assert.isUndefined(headers["x-evil"], target)
          assert.notInclude(body, "<script>", target)
          assert.isFalse(
            Object.values(headers).some((value) => /[\r\n\0]/.test(String(value))),
            target
          )
        }
      })
    )
  })
}
