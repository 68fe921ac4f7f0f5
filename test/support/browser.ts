/**
 * A page of a real browser, driven by its debugging protocol: what it shows, which requests it makes, what it complains about. It has
 * nothing of any other page, and is gone with the scope.
 *
 * ```ts
 * describePeer(chromium, (program) => {
 *   it.live("shows a page", () => Effect.gen(function* () {
 *     const page = yield* Browser.open(program)
 *     yield* page.goto("http://127.0.0.1:8080/")
 *     assert.strictEqual(yield* page.evaluate("document.title"), "hello")
 *   }), Browser.testTimeout)
 * })
 * ```
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Child from "./child.ts"
import { type Peer, which } from "./peers.ts"

export const chromium: Peer = { name: "chromium", debian: "chromium", path: which("chromium") }

/** A browser starts slowly where others compute. */
export const testTimeout = 90_000
const answerTimeout = "40 seconds"

export interface Page {
  /** Until it has loaded. */
  readonly goto: (url: string) => Effect.Effect<void>
  /** What the expression, or its promise, comes to. */
  readonly evaluate: <A = unknown>(expression: string) => Effect.Effect<A>
  /** Until the expression is true. */
  readonly until: (expression: string) => Effect.Effect<void>
  /** Errors on its console, exceptions that nobody has caught. */
  readonly problems: () => ReadonlyArray<string>
  /** `METHOD URL STATUS` of what was answered so far. */
  readonly answers: () => ReadonlyArray<string>
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: never
  readonly result?: never
  readonly error?: { readonly message: string }
}

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--no-first-run",
  "--mute-audio",
  "--remote-debugging-port=0"
]

export const open = Effect.fnUntraced(function* (program: string) {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-browser-"))),
    (made) => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true, maxRetries: 10 }))
  )
  const child = yield* Child.spawn(program, [...flags, `--user-data-dir=${folder}`, "about:blank"], {
    timeout: 85_000
  })
  const [, url = ""] = yield* child.says(/DevTools listening on (ws:\S+)/)
  const socket = yield* Effect.acquireRelease(
    Effect.callback<WebSocket>((resume) => {
      const made = new WebSocket(url)
      made.addEventListener("open", () => resume(Effect.succeed(made)))
      made.addEventListener("error", () => resume(Effect.die(new Error("no connection to the browser"))))
    }),
    (made) => Effect.sync(() => made.close())
  )
  const pending = new Map<number, (message: Message) => void>()
  const problems: Array<string> = []
  const answers: Array<string> = []
  const methods = new Map<string, string>()
  let loaded = Deferred.makeUnsafe<void>()
  let count = 0

  const heard = (method: string, params: Events): void => {
    switch (method) {
      case "Page.loadEventFired":
        return void Deferred.doneUnsafe(loaded, Effect.void)
      case "Runtime.exceptionThrown":
        return void problems.push(
          params.exceptionDetails.exception?.description ?? params.exceptionDetails.text
        )
      case "Log.entryAdded":
        if (params.entry.level === "error") problems.push(`${params.entry.text} ${params.entry.url ?? ""}`)
        return
      case "Runtime.consoleAPICalled":
        if (params.type === "error") problems.push(JSON.stringify(params.args.map(({ value }) => value)))
        return
      case "Network.requestWillBeSent":
        return void methods.set(params.requestId, params.request.method)
      case "Network.responseReceived":
        return void answers.push(
          `${methods.get(params.requestId)} ${params.response.url} ${params.response.status}`
        )
      default:
        return
    }
  }
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as Message
    if (message.id !== undefined) pending.get(message.id)?.(message)
    else if (message.method !== undefined) heard(message.method, message.params as unknown as Events)
  })

  const ask = <A>(method: string, params: object = {}, sessionId?: string): Effect.Effect<A> =>
    Effect.callback<A>((resume) => {
      const id = ++count
      pending.set(id, ({ error, result }) => {
        pending.delete(id)
        resume(
          error === undefined
            ? Effect.succeed(result as A)
            : Effect.die(new Error(`${method}: ${error.message}`))
        )
      })
      socket.send(JSON.stringify({ id, method, params, sessionId }))
    }).pipe(Effect.timeout(answerTimeout), Effect.orDie)

  const { targetId } = yield* ask<{ targetId: string }>("Target.createTarget", { url: "about:blank" })
  const { sessionId } = yield* ask<{ sessionId: string }>("Target.attachToTarget", {
    targetId,
    flatten: true
  })
  for (const domain of ["Page", "Runtime", "Log", "Network"]) yield* ask(`${domain}.enable`, {}, sessionId)

  const evaluate = <A>(expression: string): Effect.Effect<A> =>
    Effect.flatMap(
      ask<Evaluated<A>>(
        "Runtime.evaluate",
        { expression, awaitPromise: true, returnByValue: true },
        sessionId
      ),
      ({ exceptionDetails, result }) =>
        exceptionDetails === undefined
          ? Effect.succeed(result.value)
          : Effect.die(new Error(exceptionDetails.exception?.description ?? exceptionDetails.text))
    )
  const page: Page = {
    goto: (target) =>
      Effect.gen(function* () {
        loaded = Deferred.makeUnsafe()
        yield* ask("Page.navigate", { url: target }, sessionId)
        yield* Effect.orDie(Effect.timeout(Deferred.await(loaded), answerTimeout))
      }),
    evaluate,
    until: (expression) =>
      Effect.gen(function* () {
        // What is navigated away from while it is asked is asked again.
        while ((yield* Effect.orElseSucceed(Effect.sandbox(evaluate(expression)), () => false)) !== true)
          yield* Effect.sleep("100 millis")
      }).pipe(Effect.timeout(answerTimeout), Effect.orDie),
    problems: () => problems,
    answers: () => answers
  }
  return page
})

interface Details {
  readonly text: string
  readonly exception?: { readonly description?: string }
}

interface Evaluated<A> {
  readonly result: { readonly value: A }
  readonly exceptionDetails?: Details
}

/** What is looked at of all events. */
interface Events {
  readonly requestId: string
  readonly request: { readonly method: string }
  readonly response: { readonly url: string; readonly status: number }
  readonly type: string
  readonly args: ReadonlyArray<{ readonly value?: unknown }>
  readonly entry: { readonly level: string; readonly text: string; readonly url?: string }
  readonly exceptionDetails: Details
}
