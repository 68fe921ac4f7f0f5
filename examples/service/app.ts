/**
 * An application of three services, for `spindle run`: a guest book, a door where guests sign it, and a clerk who reads from it
 * every minute. The door and the clerk require the book by its type, so they start after it, and restart with it.
 *
 *     npm run --silent spindle -- run examples/service/app.ts
 *     nc 127.0.0.1 8012
 *
 * `LISTEN` (an endpoint) and `EVERY` (a duration) are from the environment, from `--set listen=...`, or from a file (`--config`).
 * While it runs, in the same directory: `spindle status`, `spindle reload`, `spindle restart`, `spindle stop guests`.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import { Application, EndpointConfig, Service, StreamServerService, TimerService } from "spindle/app"
import { Idle, Lines } from "spindle"
import { Endpoint } from "spindle/reactor"
import { Guestbook } from "./Guestbook.ts"

const conversation = Lines.over({ anyNewline: true, lineBytesMax: 200 })(
  Effect.fnUntraced(function* (lines: Lines.Lines) {
    const book = yield* Guestbook
    yield* lines.send("your name?")
    const name = yield* lines.receive
    yield* lines.send(`welcome, ${name}: you are number ${yield* book.sign(name)}`)
  })
)

const report = Effect.gen(function* () {
  const { count, names } = yield* (yield* Guestbook).newest
  yield* Effect.log(count === 0 ? "nobody was here" : `${count} were here, ${names.at(-1)} last`)
})

export default Application.make({
  name: "guests",
  description: "a guest book that everybody may sign",
  config: {
    listen: EndpointConfig.server("listen").pipe(
      Config.withDefault(Endpoint.tcp({ port: 8012, interface: "127.0.0.1" }))
    ),
    every: Config.Duration("every").pipe(Config.withDefault("1 minute"))
  },
  services: ({ every, listen }) => [
    Service.layer(Guestbook.layer, { name: "book", description: "keeps who was here" }),
    StreamServerService.make({
      name: "door",
      endpoint: listen,
      protocol: Idle.over("1 minute")(conversation)
    }),
    TimerService.make({ name: "clerk", description: "reads from the book", every, run: report })
  ]
})
