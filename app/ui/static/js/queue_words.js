/* How long something still waits, as the pages say it when they come. */

function span(seconds) {
  if (seconds >= 172_800) return `${Math.floor(seconds / 86_400)} days`;
  if (seconds >= 3_600) {
    const hours = Math.floor(seconds / 3_600);
    const minutes = Math.floor((seconds % 3_600) / 60);
    return hours < 10 && minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  }
  return `${Math.max(Math.floor(seconds / 60), 1)} min`;
}

export const left_words = (seconds) => (seconds > 0 ? `${span(seconds)} left` : `over since ${span(-seconds)}`);
