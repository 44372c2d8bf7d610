// Asks a worklist with PixelMed, in Rhino, the JavaScript of the JVM, which needs no compiler:
//   java -cp /usr/share/java/rhino.jar:/usr/share/java/pixelmed.jar org.mozilla.javascript.tools.shell.Main THIS HOST PORT CALLING CALLED KEY=VALUE...
// The keys are those of the step. Out: one line of JSON for each answer, keyword and value.
importPackage(Packages.com.pixelmed.dicom);
importPackage(Packages.com.pixelmed.network);

var dictionary = new DicomDictionary();
var utf8 = new SpecificCharacterSet(java.lang.reflect.Array.newInstance(java.lang.String, 1));

function list(keys) {
  var attributes = new AttributeList();
  for (var keyword in keys) {
    var attribute = attributes.putNewAttribute(dictionary.getTagFromName(keyword), utf8);
    if (keys[keyword] instanceof AttributeList) attribute.addItem(keys[keyword]);
    else if (keys[keyword]) attribute.addValue(keys[keyword]);
  }
  return attributes;
}

var stepKeys = { ScheduledProcedureStepID: "", Modality: "" };
for (var at = 4; at < arguments.length; at++) {
  stepKeys[arguments[at].split("=")[0]] = arguments[at].split("=")[1];
}
var identifier = list({
  SpecificCharacterSet: "ISO_IR 192",
  PatientName: "",
  PatientID: "",
  ScheduledProcedureStepSequence: list(stepKeys),
});
var handler = new JavaAdapter(IdentifierHandler, {
  doSomethingWithIdentifier: function (answer) {
    var told = {};
    ["PatientName", "PatientID"].forEach(function (keyword) {
      var tag = dictionary.getTagFromName(keyword);
      told[keyword] = String(Attribute.getDelimitedStringValuesOrEmptyString(answer, tag));
    });
    java.lang.System.out.write(new java.lang.String(JSON.stringify(told) + "\n").getBytes("UTF-8"));
  },
});
new FindSOPClassSCU(
  arguments[0], Number(arguments[1]), arguments[3], arguments[2],
  "1.2.840.10008.5.1.4.31", identifier, handler, // it has no name for the worklist's SOP class
);
java.lang.System.out.flush();
