/**
 * `node bench/websocket.ts [--quick | --smoke] [--rounds N] [--seconds S] [--only case,...] [--json file] [--check]`
 *
 * Messages on WebSockets: ours beside the `ws` package on `node:http`, and beside Effect's `NodeHttpServer`. See README.md.
 */
import { run } from "./run.ts"
import { summary } from "./summary.ts"
import { websocketCases } from "./websocketCases.ts"

await run("websocket.ts", websocketCases, { summary, warmUp: { warmUpSeconds: 1, warmUpMessages: 50_000 } })
