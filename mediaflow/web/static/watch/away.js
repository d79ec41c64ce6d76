/** What to tell a viewer of a segment or playlist that did not come. */

const NOT_MADE = 'stream.not_made';

/** The sentence for an answer's status (0: none came) and its XMLHttpRequest, whose body may be a problem of ours. */
export function awayInWords(status, request) {
  if (status < 500) return 'Connection lost, trying again…';
  return codeOf(request) === NOT_MADE ? 'This part of the video is being made. One moment…' : 'The server has trouble. Trying again…';
}

function codeOf(request) {
  try {
    const { response } = request;
    return JSON.parse(typeof response === 'string' ? response : new TextDecoder().decode(response)).code;
  } catch {
    return null; // a page of somebody between us, or nothing at all
  }
}
