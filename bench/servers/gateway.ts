/** The example gateway's TCP door, with its store on disk: a reading is acknowledged when it is committed. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Layer from "effect/Layer"
import { Counters } from "../../examples/gateway/Counters.ts"
import * as Ingest from "../../examples/gateway/Ingest.ts"
import { Store } from "../../examples/gateway/Store.ts"
import { serveWith } from "./spindle.ts"

const directory = mkdtempSync(join(tmpdir(), "spindle-bench-"))
process.on("exit", () => rmSync(directory, { recursive: true, force: true }))

serveWith(Ingest.conversation, Layer.merge(Store.layer({ directory }), Counters.layer).pipe(Layer.orDie))
