"""Door two: DICOM. Imports ris, never hl7.

The modules in the order of a query's road; each is named once.

The acceptor: bytes in, bytes out.
    host            what an association asks of its door, as protocols, so that peer need not know server
    server          sockets, TLS, limits, threads; starts one peer a call
    negotiation     which associations and presentation contexts are taken
    pdu             protocol data units: numbers, bounds, how they read
    upperlayer      the upper layer without sockets: bytes in, events and bytes out
    peer            one association on asyncio: its bytes, its deadlines, its end
    dimse           C-ECHO, C-FIND, C-CANCEL, N-CREATE, N-SET, N-GET as command sets in bytes
    answering       the requests of one association, one at a time: hands each to query or mpps
    strangers       who gets no association: other protocols than DICOM, TLS handshakes that fail
    silence         keeps patients out of what the DICOM libraries print

The question: what is asked for, by whom.
    callers         which profile a caller has, read once a second
    profiles        what is agreed with one device, as plain data
    profile_models  the same as rows
    attributes      THE TABLE: every attribute, where its value comes from, how it matches
    identifier      the identifier of a C-FIND, read once into keys and conditions
    matching        one key and its value as a condition
    lookups         wildcards of DICOM as a lookup of Django
    ways            how it is asked beside its keys: by ear, a page of the answers
    errors          how a query can fail, as the scanner is told
    refusals        the same, as people read it
    conditions      what matches and what the caller may see, as SQL, and what SQL cannot check

The answer: the rows that match, as data sets.
    query           the one engine: an identifier and a caller in, answers out
    prepared        a question worked out once, for all who ask it again
    rounds          queries that come at the same time, answered together
    workers         threads with database connections for the loop of asyncio
    moment          what the database has committed: where it is the same, nothing is read again
    answer          one step as a data set: of a row, the keys that were asked for
    spelling        how the device is written to: rules of its profile, letters that it can read
    values          what fits a value representation, and how it can be mended
    charsets        what can be written in a character set, and how
    encoding        data sets in bytes, without an object for each element

What is written down.
    journal         puts queries and calls in the log, beside the answers
    models          the rows: queries, callers, refused calls, archives and what they are sent
    describe        data sets for people: as JSON for the log, as lines for screens
    query_words     a query of the log as people read it

MPPS: what scanners tell.
    mpps            from a request to its answer, without a socket
    mpps_rules      what must, may and may not be said
    mpps_values     the columns of a performed step, read from a data set
    forwarding      the outbox: requests that wait for archives
    delivery        passes them on, in their order

The ladder: exams of scanners that tell nothing.
    ladder          asks archives whether the study is there
    qido            over DICOMweb
    scu             calls of our own by DICOM, also for delivery and scanner
    logins          which login goes to which archive
    tasks           work by the clock: the ladder, delivery, old rows

Why: why a step is, or is not, on a list.
    why             each part of the question, asked of this one step
    why_since       what has happened since the question
    why_contact     how the device reaches the door at all
    why_words       what these find, as people read it

DICOMweb: the same engines over HTTP.
    dicomweb             the door over HTTP
    dicomweb.urls        its addresses
    dicomweb.access      who stands there: a token, or a person
    dicomweb.views       what every resource does; the search for steps
    dicomweb.parameters  the query part of an address as an identifier
    dicomweb.payload     the body of a request as a data set
    dicomweb.performed   performed steps, by mpps
    dicomweb.media       which representation an answer takes, and its bytes
    dicomweb.native_xml  the Native DICOM Model in XML
    dicomweb.problems    what goes wrong, as a status and a sentence
    dicomweb.trail       what is kept of what was read
    dicomweb.reference   its conformance page
    tokens               the tokens of devices

Screens, pages and commands (management/commands has dicom_serve, why, scanner and api_token).
    apps            Django's entry
    admin           queries, callers and refused calls on the desk
    adopting        makes a station of an unknown caller
    profile_admin   profiles of devices
    profile_pages   what a device would be sent of one step, byte for byte
    archive_admin   archives and reports to them
    tokens_admin    access tokens
    preview         the worklist as a station sees it
    pages           the page that shows it
    why_pages       the page of why
    near_pages      the page of what a query has just missed
    reference       the conformance page (docs/reference/dicom.md)
    scanner         what a simulated scanner does
"""
