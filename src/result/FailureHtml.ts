/** A failure as a part of a page. */
import type { Failure } from "./FailureValue.ts"
import { type LayoutOptions, type Line, layout } from "./FailureLayout.ts"
import { tell } from "./FailureStory.ts"
import { escaped } from "./HtmlText.ts"

const htmlOf = (line: Line): string =>
  line
    .map(({ style, text }) =>
      style === "plain" ? escaped(text) : `<span class="failure-${style}">${escaped(text)}</span>`
    )
    .join("")

/**
 * The traceback as one `<pre class="failure">`, with `failure-name` and `failure-dim` to style. All text is escaped. It
 * tells what `render` does: whether a visitor should read that is for the application to decide. Never throws.
 */
export const html = (self: Failure<unknown>, options?: LayoutOptions): string =>
  `<pre class="failure">${layout(tell(self.cause, options), options).map(htmlOf).join("\n")}</pre>`
