// The path from one z to another along the sphere that both lie near, so that every z on it is as likely as the ends.

/** z at `share`, 0...1, of the way from `from` to `to`, Float64Array [100] each (Shoemake 1985, slerp). */
export function latentsBetween(from, to, share) {
  const angle = Math.acos(dot(from, to) / Math.sqrt(dot(from, from) * dot(to, to)))
  const [near, far] = [(1 - share) * angle, share * angle].map((part) => Math.sin(part) / Math.sin(angle))
  return from.map((value, i) => near * value + far * to[i])
}

function dot(a, b) {
  return a.reduce((sum, value, i) => sum + value * b[i], 0)
}
