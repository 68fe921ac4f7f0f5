/**
 * `node bench/http.ts [--quick | --smoke] [--rounds N] [--seconds S] [--only case,...] [--json file] [--check]`
 *
 * The web: `HttpServer` beside Effect's `NodeHttpServer`, Node by itself, Fastify and Twisted web. A table for each case, and one
 * of all, to be pasted. See README.md.
 */
import { httpCases } from "./httpCases.ts"
import { run } from "./run.ts"
import { summary } from "./summary.ts"

await run("http.ts", httpCases, { summary, warmUp: { warmUpSeconds: 1, warmUpMessages: 50_000 } })
