/** Raw `node:net` in a process that has imported Effect, and does not use it: what the larger heap alone costs. */
import "effect/Effect"
import "effect/Layer"
import "effect/SubscriptionRef"
import "./node-net.ts"
