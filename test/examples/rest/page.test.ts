/** The page of the OpenAPI document in a real browser, which is let nowhere else. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as path from "node:path"
import * as Spindle from "../../app/cli/spindle.ts"
import * as Browser from "../../support/browser.ts"
import { describePeer } from "../../support/peers.ts"
import { directory } from "../../http/staticKit.ts"
import { examples } from "../start.ts"

describePeer(Browser.chromium, (program) => {
  it.live(
    "the inventory shows its API, and lets itself be tried",
    () =>
      Effect.gen(function* () {
        const place = yield* Spindle.place
        const app = path.join(examples, "rest/app.ts")
        const settings = ["listen=tcp:0:interface=127.0.0.1", `dataDir=${yield* directory}`, "token=s3cret"]
        const child = yield* Spindle.start(place, ["run", app, ...settings.flatMap((one) => ["--set", one])])
        const [, port = ""] = yield* child.says(/http listening.*127\.0\.0\.1:(\d+)/)
        const own = `http://127.0.0.1:${port}`
        const page = yield* Browser.open(program)
        yield* page.goto(`${own}/docs`)
        yield* page.until(`document.querySelectorAll(".opblock").length === 6`)
        const shown = yield* page.evaluate<string>("document.body.innerText")
        assert.match(shown, /Inventory[^]*\/items\/\{id\}/)
        assert.strictEqual(
          yield* page.evaluate(
            `fetch("/items", { headers: { authorization: "Bearer s3cret" } }).then((response) => response.text())`
          ),
          `{"items":[]}`
        )
        assert.deepStrictEqual(
          page.problems().filter((one) => !/favicon/.test(one)),
          []
        )
        const elsewhere = page
          .answers()
          .filter((one) => !one.includes(` ${own}/`) && !/ (?:data|blob):/.test(one))
        assert.deepStrictEqual(elsewhere, [])
      }).pipe(Effect.scoped),
    Browser.testTimeout
  )
})
