"""`soloscope notify`: from Alertmanager, the apps and the digest to the phone.

notices    what is told: an alert, a message of an app, a report
intake     requests, read into notices
outbox     the notices on disk, and what has become of each
texts      limits of texts: length, one line, directions
messages   a message from the notices of a group
pace       how fast a channel may send
providers/ WhatsApp's Cloud API, Twilio, and all else by Apprise
sender     the loop of a channel
calls      the provider's calls: delivery states and replies
service    the paths
client     what other commands ask of it

A request is answered once its notices are on disk, one delivery for each channel. The
loop of a channel takes the waiting deliveries of a group together, marks them as being
sent, sends one message, and notes the outcome. What was being sent when the process
died is sent again, and says that it may be a repeat.
"""
