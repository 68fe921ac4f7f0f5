/** Text in pages. */
import { escaped as escape } from "../result/HtmlText.ts"

export { escape }

/** What our own pages may do: nothing but look like something (H15: nothing that got into them runs). */
export const contentSecurityPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const style =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}" +
  "td,th{text-align:left;padding:.1rem 1.5rem .1rem 0}td.n{text-align:right;font-variant-numeric:tabular-nums}" +
  "pre{white-space:pre-wrap}:root{color-scheme:light dark}"

/** A whole page. `title` is text, `body` is HTML. */
export const page = (title: string, body: string): string =>
  `<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title>` +
  `<meta name="viewport" content="width=device-width"><style>${style}</style></head>\n<body>${body}</body></html>\n`
